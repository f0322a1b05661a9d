"""What the database is asked in a part of a test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from models.db.database import database as the_database


@contextmanager
def statements() -> Iterator[list[str]]:
    """Collect the statements of the block but for those that bound a transaction."""
    told: list[str] = []
    execute = the_database.obj.execute_sql

    def listen(sql: str, *args: object, **options: object) -> object:
        told.append(sql)
        return execute(sql, *args, **options)

    the_database.obj.execute_sql = listen
    try:
        yield told
    finally:
        del the_database.obj.execute_sql
    told[:] = [sql for sql in told if not sql.startswith(("BEGIN", "COMMIT", "SAVEPOINT"))]
