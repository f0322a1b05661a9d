"""Request handlers that are longer than a route."""

from __future__ import annotations
