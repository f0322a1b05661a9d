"""Another database, or the same one opened in another way, for a part of a test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from playhouse.pool import PooledDatabase

from catfeeder.sealing import KeyRing
from config import Settings
from models.db.database import bind_tables, build_database, database, key_ring


@contextmanager
def reopened(settings: Settings, pool_timeout: float = 10) -> Iterator[None]:
    """Let the process use the database of other settings for the block."""
    before = (database.obj, key_ring() if database.obj else None)
    bind_tables(
        build_database(settings, pool_timeout=pool_timeout), KeyRing(settings.secret_keys())
    )
    try:
        yield
    finally:
        if isinstance(database.obj, PooledDatabase):
            database.obj.close_all()
        bind_tables(*before)
