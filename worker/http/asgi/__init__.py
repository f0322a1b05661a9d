"""ASGI middleware and what every request passes through."""

from __future__ import annotations
