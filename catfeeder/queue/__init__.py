"""The queue as a client sees it: sealed messages, jobs, and the connection to Redis."""

from __future__ import annotations
