"""Another database, or the same one opened in another way, for a part of a test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from playhouse.pool import PooledDatabase

from catfeeder.sealing import DATABASE_LABEL, KeyRing
from config import Settings
from models.db.database import bind_tables, build_database, database, sealer


@contextmanager
def reopened(settings: Settings, **options: float) -> Iterator[None]:
    """Let the process use the database of other settings for the block."""
    before = (database.obj, sealer() if database.obj else None)
    rotated_sealer = KeyRing(settings.secret_keys()).sealer(DATABASE_LABEL)
    bind_tables(build_database(settings, **options), rotated_sealer)
    try:
        yield
    finally:
        if isinstance(database.obj, PooledDatabase):
            database.obj.close_all()
        bind_tables(*before)
