"""Migration: brings the tables to this version, once, in whichever process comes first."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final

import peewee
from playhouse.migrations import Runner

from models.db.database import database, ensure_open, hold_connection
from models.db.errors import DatabaseUnreachable, SchemaTooOld, describe_cause
from models.db.mysql import MysqlDatabase
from models.sealing.keys import check_secret_key, record_secret_key

#: One file for each change of the schema, in order. playhouse reads a single folder, so they stay
#: beside each other, however many there are, and none is edited once it was released.
_DIRECTORY: Final = Path(__file__).parent / "migrations"
#: Any number will do, if all processes of this service use the same one.
_LOCK_NUMBER: Final = 420_261_123


def migrate(now: datetime, directory: Path = _DIRECTORY) -> list[str]:
    """Apply the missing migrations of `directory`, under a lock, and return their names.

    Raises:
        DatabaseUnreachable: The database refused the connection, or a change.
        ForeignSecretKey: Stored secrets were sealed with another SECRET_KEY.
    """
    try:
        with hold_connection(), lock_migrations():
            applied = Runner(database.obj, str(directory)).up()
            record_secret_key(now)
    except peewee.PeeweeException as error:
        raise DatabaseUnreachable(
            f"The database of DATABASE_URL refused a migration: {describe_cause(error)}."
        ) from error
    return list(applied)


def apply_migrations(names: Collection[str]) -> None:
    """Apply those of the missing migrations that are named, within the caller's transaction."""
    if names:
        Runner(database.obj, str(_DIRECTORY)).up(max(names))


def list_applied() -> list[str]:
    """Return the names of the migrations that were applied."""
    return sorted(Runner(database.obj, str(_DIRECTORY)).applied())


def list_known() -> list[str]:
    """Return the names of this release's migrations, in order."""
    return [step.name for step in Runner(database.obj, str(_DIRECTORY)).migrations()]


def once_per_database(prepare: Callable[[datetime], None]) -> Callable[[datetime], None]:
    """Return `prepare` as a function that acts once for the database that this process has open.

    It opens the database of this process's settings first, unless one is open.
    """
    prepared: list[peewee.Database] = []

    @functools.wraps(prepare)
    def prepare_once(now: datetime) -> None:
        ensure_open()
        if database.obj not in prepared:
            prepare(now)
            prepared[:] = [database.obj]

    return prepare_once


@once_per_database
def ensure_tables(now: datetime) -> None:
    """Make the tables of a new database, for a program that runs without the service.

    The tables of an older version are left to `migrate`: a service may be using them.

    Raises:
        DatabaseUnreachable: The database refused the connection.
        SchemaTooOld: It has tables, and a migration is missing.
    """
    with hold_connection():
        steps = [step for step in Runner(database.obj, str(_DIRECTORY)).status() if step.path]
    if not any(step.applied for step in steps):
        migrate(now)
    elif not all(step.applied for step in steps):
        raise SchemaTooOld


def join_service(now: datetime) -> None:
    """Check the schema for a process of the service, and record the key that it seals with.

    Raises:
        OperatorError: As `check_schema`.
    """
    check_schema()
    with hold_connection():
        record_secret_key(now)


def check_schema() -> None:
    """Check that every migration was applied, and that this process can open stored secrets.

    Raises:
        DatabaseUnreachable: The database refused the connection.
        SchemaTooOld: A migration is missing.
        ForeignSecretKey: Stored secrets were sealed with another SECRET_KEY.
    """
    with hold_connection():
        if not is_schema_current():
            raise SchemaTooOld
        check_secret_key()


def is_schema_current() -> bool:
    """Return whether every migration was applied.

    Raises:
        DatabaseUnreachable: The database refused the connection.
    """
    with hold_connection():
        steps = Runner(database.obj, str(_DIRECTORY)).status()
    return all(step.applied or not step.path for step in steps)


@contextmanager
def lock_migrations() -> Iterator[None]:
    """Admit one migrating process at a time, by the lock that each database has."""
    if isinstance(database.obj, peewee.PostgresqlDatabase):
        database.execute_sql("SELECT pg_advisory_lock(%s)", (_LOCK_NUMBER,))
        try:
            yield
        finally:
            database.execute_sql("SELECT pg_advisory_unlock(%s)", (_LOCK_NUMBER,))
    elif isinstance(database.obj, MysqlDatabase):
        with database.obj.migration_lock(str(_LOCK_NUMBER)):
            yield
    else:
        # SQLite's transaction is exclusive, and covers changes of tables as well.
        with database.atomic():
            yield
