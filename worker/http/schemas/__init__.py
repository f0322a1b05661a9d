"""Schemas: bodies, queries and answers, as pydantic checks and OpenAPI shows them."""

from __future__ import annotations
