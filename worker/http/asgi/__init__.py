"""ASGI middleware around the routes, and the process's event loop: threads, batches, draining."""

from __future__ import annotations
