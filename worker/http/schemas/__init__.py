"""The bodies of requests and answers, with the examples that /docs shows."""

from __future__ import annotations
