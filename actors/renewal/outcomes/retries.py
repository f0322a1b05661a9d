"""Repeated writes: what came of a renewal outlives a short outage of the database."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, TypeVar

from models.db.errors import DatabaseUnreachable

T = TypeVar("T")

_PAUSE_SECONDS: Final = 0.25


def retry_while_unreachable(write: Callable[[], T], seconds: float) -> T:
    """Repeat a write while the database is away, for at most so many seconds."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return write()
        except DatabaseUnreachable:
            if time.monotonic() > deadline:
                raise
        time.sleep(_PAUSE_SECONDS)
