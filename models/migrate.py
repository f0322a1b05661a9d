"""Bringing the database's tables up to this version, once, whoever else tries at the same time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final

import peewee
from playhouse.migrations import Runner

from models.db.database import database, hold_connection
from models.db.errors import DatabaseUnreachable, SchemaTooOld, describe_cause
from models.db.mysql import MysqlDatabase
from models.sealing.keys import check_secret_key, record_secret_key

_DIRECTORY: Final = str(Path(__file__).parent / "migrations")
#: Any number will do; it is what migrating processes of this service agree upon.
_LOCK_NUMBER: Final = 420_261_123


def migrate(now: datetime) -> list[str]:
    """Apply the migrations that are missing, under a lock, and return their names.

    Raises:
        DatabaseUnreachable: The database did not let us in, or refused a change.
        ForeignSecretKey: What is stored was sealed with another SECRET_KEY.
    """
    try:
        with hold_connection(), _lock():
            applied = Runner(database.obj, _DIRECTORY).up()
            record_secret_key(now)
    except peewee.PeeweeException as error:
        raise DatabaseUnreachable(
            f"The database of DATABASE_URL refused a migration: {describe_cause(error)}."
        ) from error
    return list(applied)


def join_service(now: datetime) -> None:
    """Check the schema for a process of the service, and note the key that it will seal with.

    Raises:
        ConfigurationError: As `check_schema`.
    """
    check_schema()
    with hold_connection():
        record_secret_key(now)


def check_schema() -> None:
    """Make sure that every migration was applied, and that our keys open what is stored.

    Raises:
        DatabaseUnreachable: The database did not let us in.
        SchemaTooOld: A migration is missing.
        ForeignSecretKey: What is stored was sealed with another SECRET_KEY.
    """
    with hold_connection():
        if any(
            step.path and not step.applied for step in Runner(database.obj, _DIRECTORY).status()
        ):
            raise SchemaTooOld
        check_secret_key()


@contextmanager
def _lock() -> Iterator[None]:
    """Let one process migrate at a time, by the means that each database has."""
    if isinstance(database.obj, peewee.PostgresqlDatabase):
        database.execute_sql("SELECT pg_advisory_lock(%s)", (_LOCK_NUMBER,))
        try:
            yield
        finally:
            database.execute_sql("SELECT pg_advisory_unlock(%s)", (_LOCK_NUMBER,))
    elif isinstance(database.obj, MysqlDatabase):
        with database.obj.alone(str(_LOCK_NUMBER)):
            yield
    else:
        # SQLite's transaction is exclusive, and holds tables as well as rows.
        with database.atomic():
            yield
