"""The database of this process: which one, how it is opened, and who holds a connection when."""

from __future__ import annotations

import contextlib
import math
import re
import select
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import unquote

import peewee
from playhouse.pool import MaxConnectionsExceeded
from playhouse.postgres_ext import PooledPsycopg3Database

from catfeeder.sealing import DATABASE_LABEL, KeyRing, Sealer
from config import ROOT, Settings, current_settings
from models.db.errors import DatabaseUnreachable, describe_cause
from models.db.mysql import open_mysql
from models.db.sqlite import WaitingSqliteDatabase

#: Every table is bound to this name; which database stands behind it is known when settings are.
database: Final = peewee.DatabaseProxy()

_SQLITE_PRAGMAS: Final = {
    "journal_mode": "wal",
    # A token that was reported as stored must survive a loss of power.
    "synchronous": "full",
    "foreign_keys": 1,
}
#: A server that does not answer is told of before the caller's own patience ends.
_CONNECT_SECONDS: Final = 5
#: What PostgreSQL's client does where the URL says nothing else. A machine that dies says no word
#: of it: without the signs of life that are asked for here, threads would wait for two hours.
_PATIENCE: Final[dict[str, int]] = {
    "connect_timeout": _CONNECT_SECONDS,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}
#: How long a thread waits for a connection of the pool; by default it would fail at once.
_POOL_SECONDS: Final = 10
#: So long after its last use a connection is taken to be alive.
_FRESH_SECONDS: Final = 1.0
_opened: Final[dict[str, Sealer]] = {}


class _PostgresPool(PooledPsycopg3Database):  # type: ignore[misc]
    """A pool that asks the server about a connection only when nobody has used it for a while.

    Peewee asks before each use, with all others waiting for the pool meanwhile. Before that time a
    look at the socket has to do: there is nothing to be read unless the server has hung up.
    """

    def _is_closed(self, conn: Any) -> bool:
        is_fresh = time.monotonic() - getattr(conn, "used_at", -math.inf) < _FRESH_SECONDS
        if is_fresh and not conn.closed and not select.select([conn], [], [], 0)[0]:
            return False
        return bool(super()._is_closed(conn))

    def _can_reuse(self, conn: Any) -> bool:
        conn.used_at = time.monotonic()
        return bool(super()._can_reuse(conn))


class Table(peewee.Model):
    """What all tables share."""

    class Meta:
        """Binds every table to the process's database."""

        database = database
        legacy_table_names = False


def open_database(settings: Settings) -> None:
    """Choose the database of `DATABASE_URL` for this process; connections open on use.

    A forked child must choose anew: it cannot share its parent's connections.

    Raises:
        ConfigurationError: DATABASE_URL is not one of a database that is supported, or SECRET_KEY
            is not set.
    """
    sealer = KeyRing(settings.secret_keys()).sealer(DATABASE_LABEL)
    database.initialize(build_database(settings))
    _opened["sealer"] = sealer


def ensure_open() -> None:
    """Open the database of this process's settings, unless one is open already."""
    if database.obj is None:
        open_database(current_settings())


def sealer() -> Sealer:
    """Return the sealer of the stored secrets, which `open_database` made."""
    return _opened["sealer"]


def build_database(settings: Settings) -> peewee.Database:
    """Return the database of `DATABASE_URL`, not yet connected.

    Raises:
        DatabaseUnreachable: The URL is not one of a database that is supported.
    """
    scheme, _, rest = settings.database_url.partition("://")
    if scheme == "sqlite":
        return _sqlite(rest, settings.database.busy_timeout_seconds)
    if scheme in ("postgresql", "postgres"):
        return _postgresql(f"postgresql://{rest}", settings.database.max_connections)
    if scheme in ("mysql", "mariadb"):
        return open_mysql(
            f"mysql://{rest}",
            max_connections=settings.database.max_connections,
            patience=_POOL_SECONDS,
            connect_timeout=_CONNECT_SECONDS,
        )
    raise DatabaseUnreachable(
        "DATABASE_URL must begin with sqlite:///, postgresql://, mysql:// or mariadb://."
    )


def _sqlite(rest: str, busy_timeout_seconds: int) -> peewee.SqliteDatabase:
    if not re.fullmatch("/[^?#]+", rest) or rest == "/:memory:":
        # In memory each connection would see a database of its own.
        raise DatabaseUnreachable(
            "DATABASE_URL must name a file: sqlite:///relative/path or sqlite:////absolute/path."
        )
    path = ROOT / unquote(rest[1:])
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)
    except (OSError, ValueError) as error:
        raise _unreachable(error) from None
    return WaitingSqliteDatabase(
        str(path),
        # Left on, it opens a connection at a thread's first query and never closes it.
        autoconnect=False,
        pragmas=_SQLITE_PRAGMAS,
        timeout=busy_timeout_seconds,
        # Takes the write lock at BEGIN. With the deferred default a transaction that reads first
        # fails at once with "database is locked", whatever the timeout.
        lock_type="IMMEDIATE",
    )


def _postgresql(url: str, max_connections: int) -> peewee.Database:
    told = _parsed(url)
    chosen: peewee.Database = _PostgresPool(
        url,
        autoconnect=False,
        max_connections=max_connections,
        timeout=_POOL_SECONDS,
        **{name: told.get(name, usual) for name, usual in _PATIENCE.items()},
    )
    return chosen


def _parsed(url: str) -> dict[str, Any]:
    """Take a URL apart; where that goes wrong, what the client says would show the password."""
    # Loaded by Peewee already, if this process is to use it.
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    with contextlib.suppress(psycopg.ProgrammingError):
        parts = conninfo_to_dict(url)
        names = f"{parts.get('host', '')}{parts.get('dbname', '')}"
        if "@" not in names and re.fullmatch("[0-9,]*", str(parts.get("port", ""))):
            return parts
    raise DatabaseUnreachable(
        "DATABASE_URL is not postgresql://user:password@host:port/database; special characters "
        "in the password are written as %40 for @, %2F for / and so on."
    )


@contextmanager
def hold_connection() -> Iterator[None]:
    """Hold a connection for the block; within a block that holds one, do nothing.

    A transaction never outlives the block, since `transaction` is the one way to begin it:
    Peewee would refuse to close the connection.

    Raises:
        DatabaseUnreachable: The database did not let us in, or was lost on the way.
    """
    try:
        opened = database.connect(reuse_if_open=True)
    except MaxConnectionsExceeded:
        raise DatabaseUnreachable(
            f"Every connection to the database was in use for {_POOL_SECONDS} seconds: "
            "raise max_connections in [Database] of config.toml."
        ) from None
    except (peewee.PeeweeException, OSError) as error:
        raise _unreachable(error) from None
    try:
        yield
    except (peewee.InterfaceError, peewee.OperationalError) as error:
        raise _unreachable(error) from error
    finally:
        if opened:
            database.close()


def _unreachable(error: Exception) -> DatabaseUnreachable:
    return DatabaseUnreachable(
        f"The database cannot be used: check DATABASE_URL ({describe_cause(error)})."
    )


@contextmanager
def transaction() -> Iterator[None]:
    """Run the block as one transaction on a connection of its own or the one that is held.

    No call to a provider and no hashing belongs into it: on SQLite all other writers wait.
    """
    with hold_connection(), database.atomic():
        yield


def is_answering() -> bool:
    """Tell whether the database answers a query now."""
    try:
        with hold_connection():
            database.execute_sql("SELECT 1")
    except (DatabaseUnreachable, peewee.PeeweeException):
        return False
    return True
