"""Request handlers: what a route calls that is longer than a route."""

from __future__ import annotations
