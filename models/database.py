"""The database of this process: which one, how it is opened, and who holds a connection when."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import peewee
from playhouse import db_url

from catfeeder.sealing import DATABASE_LABEL, Sealer, Secret, derive_key
from config import Settings, current_settings
from models.errors import DatabaseUnreachable

#: Every table is bound to this name; which database stands behind it is known when settings are.
database: Final = peewee.DatabaseProxy()

_SQLITE_PRAGMAS: Final = {
    "journal_mode": "wal",
    # A token that was reported as stored must survive a loss of power.
    "synchronous": "full",
    "foreign_keys": 1,
}
_POOLED: Final = {
    "postgres": "psycopg3+pool",
    "postgresql": "psycopg3+pool",
    "mysql": "mysql+pool",
    "mariadb": "mysql+pool",
}
_pool: Final[dict[str, Sealer]] = {}


class Table(peewee.Model):
    """What all tables share."""

    class Meta:
        """Binds every table to the process's database."""

        database = database
        legacy_table_names = False


def open_database(settings: Settings) -> None:
    """Choose the database of `DATABASE_URL` for this process; connections open on use.

    Raises:
        DatabaseUnreachable: The URL is not one of a database that is supported.
    """
    sealer = Sealer([derive_key(Secret(settings.required_secret_key()), DATABASE_LABEL)])
    database.initialize(build_database(settings))
    _pool["sealer"] = sealer


def ensure_open() -> None:
    """Open the database of this process's settings, unless one is open already."""
    if database.obj is None:
        open_database(current_settings())


def sealer() -> Sealer:
    """Return the sealer of the stored secrets, which `open_database` made."""
    return _pool["sealer"]


def build_database(settings: Settings) -> peewee.Database:
    """Return the database of `DATABASE_URL`, not yet connected."""
    url = settings.database_url
    scheme = urlsplit(url).scheme
    if scheme == "sqlite":
        return _sqlite(url, settings)
    if scheme not in _POOLED:
        raise DatabaseUnreachable(
            f"DATABASE_URL begins with {scheme or 'nothing'}://; "
            "it must be sqlite, postgresql or mysql."
        )
    options: dict[str, Any] = {"autoconnect": False}
    options |= {"max_connections": settings.database.max_connections, "timeout": 10}
    chosen: peewee.Database = db_url.connect(
        url.replace(scheme, _POOLED[scheme], 1), unquote_password=True, unquote_user=True, **options
    )
    return chosen


def _sqlite(url: str, settings: Settings) -> peewee.SqliteDatabase:
    path = Path(unquote(urlsplit(url).path.removeprefix("/")) or ":memory:")
    if not path.parent.is_dir():
        path.parent.mkdir(mode=0o700, parents=True)
    # IMMEDIATE takes the write lock at BEGIN. With the deferred default a transaction that reads
    # first fails at once with "database is locked", whatever the busy timeout.
    return peewee.SqliteDatabase(
        str(path),
        pragmas=_SQLITE_PRAGMAS,
        timeout=settings.database.busy_timeout_seconds,
        lock_type="IMMEDIATE",
        autoconnect=False,
    )


@contextmanager
def connected() -> Iterator[None]:
    """Hold a connection for the block; within a block that holds one, do nothing.

    Raises:
        DatabaseUnreachable: The database did not let us in, or went away within the block.
    """
    try:
        opened = database.connect(reuse_if_open=True)
    except (peewee.PeeweeException, OSError) as error:
        raise _unreachable(error) from None
    try:
        yield
    except (peewee.OperationalError, peewee.InterfaceError) as error:
        raise _unreachable(error) from error
    finally:
        if opened:
            database.close()


def _unreachable(error: Exception) -> DatabaseUnreachable:
    reason = str(error).partition("\n")[0].rstrip(". ") or type(error).__name__
    return DatabaseUnreachable(f"The database cannot be reached: check DATABASE_URL ({reason}).")


@contextmanager
def transaction() -> Iterator[None]:
    """Run the block as one transaction on a connection of its own or the one that is held."""
    with connected(), database.atomic():
        yield


def is_answering() -> bool:
    """Tell whether the database answers a query now."""
    try:
        with connected():
            database.execute_sql("SELECT 1")
    except (DatabaseUnreachable, peewee.PeeweeException):
        return False
    return True
