"""Another database, or the same in another way, in the midst of a test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from playhouse.pool import PooledDatabase

from config import Settings
from models.db.database import _opened, database, open_database


@contextmanager
def reopened(settings: Settings) -> Iterator[None]:
    """Let the process use the database of other settings for the block."""
    before, keys = database.obj, dict(_opened)
    open_database(settings)
    try:
        yield
    finally:
        if isinstance(database.obj, PooledDatabase):
            database.obj.close_all()
        database.initialize(before)
        _opened.update(keys)
