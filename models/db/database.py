"""Database connection: which database this process uses, and for how long a thread holds one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import ClassVar, Final
from urllib.parse import unquote

import peewee
from playhouse.pool import MaxConnectionsExceeded

from catfeeder.sealing import DATABASE_LABEL, ROWS_LABEL, Key, KeyRing, Sealer, key_id
from config import Settings, current_settings
from models.db import sqlite
from models.db.errors import DatabaseUnreachable
from models.db.mysql import open_mysql
from models.db.postgresql import open_postgresql

#: Every table is bound to this proxy; `open_database` puts a database behind it.
database: Final = peewee.DatabaseProxy()

#: Shorter than any caller's own deadline.
_CONNECT_TIMEOUT_SECONDS: Final = 5
#: How long a thread waits for a connection of the pool; Peewee's default is not to wait.
_POOL_TIMEOUT_SECONDS: Final = 10
#: How the database of a server is opened, by the scheme of its URL.
_SERVERS: Final[dict[str, Callable[..., peewee.Database]]] = {
    "postgresql": open_postgresql,
    "postgres": open_postgresql,
    "mysql": open_mysql,
    "mariadb": open_mysql,
}
_sealers: Final[dict[str, Sealer]] = {}
_rings: Final[dict[str, KeyRing]] = {}
_mac_keys: Final[dict[str, dict[bytes, Key]]] = {}


class Table(peewee.Model):
    """The base of all tables."""

    #: Whose a sealed column is, and what its owner does if it does not open; `{name}` is the row's.
    sealed_owner: ClassVar[str] = "a row"
    sealed_remedy: ClassVar[str] = "restore the database from a backup"

    class Meta:
        """Binds every table to the process's database."""

        database = database
        legacy_table_names = False


def open_database(settings: Settings, *, may_create: bool = True) -> None:
    """Choose the database of `DATABASE_URL` for this process; connections open on use.

    A forked child must choose anew: it cannot share its parent's connections. A command that reads
    may not create SQLite's file: its path may be mistyped.

    Raises:
        DatabaseMissing: There is none, and it may not be created.
        DatabaseUnreachable: DATABASE_URL is not one of a database that is supported.
        ConfigurationError: SECRET_KEY is not set.
    """
    chosen = build_database(settings, may_create=may_create)
    bind_tables(chosen, KeyRing(settings.secret_keys()))


def bind_tables(chosen: peewee.Database | None, ring: KeyRing | None) -> None:
    """Bind all tables to a database, and what is sealed or authenticated in them to its keys."""
    database.initialize(chosen)
    if ring is not None:
        _rings[DATABASE_LABEL] = ring
        _sealers[DATABASE_LABEL] = ring.sealer(DATABASE_LABEL)
        _mac_keys[ROWS_LABEL] = {key_id(key): key for key in ring.keys(ROWS_LABEL)}


def ensure_open(*, may_create: bool = True) -> None:
    """Open the database of this process's settings, unless one is open already.

    Raises:
        DatabaseMissing: There is none, and it may not be created.
    """
    if database.obj is None:
        open_database(current_settings(), may_create=may_create)


def sealer() -> Sealer:
    """Return the sealer of the stored secrets, which `open_database` made."""
    return _sealers[DATABASE_LABEL]


def mac_keys() -> dict[bytes, Key]:
    """Return the keys of the rows' MACs by their ids, the current one first."""
    return _mac_keys[ROWS_LABEL]


def key_ring() -> KeyRing:
    """Return the key ring of `bind_tables`."""
    return _rings[DATABASE_LABEL]


def build_database(
    settings: Settings, *, may_create: bool = True, pool_timeout: float = _POOL_TIMEOUT_SECONDS
) -> peewee.Database:
    """Return the database of `DATABASE_URL`, not yet connected.

    Raises:
        DatabaseMissing: There is none, and it may not be created.
        DatabaseUnreachable: The URL is not one of a database that is supported.
    """
    scheme, _, rest = settings.database_url.partition("://")
    if scheme == "sqlite":
        return sqlite.open_sqlite(
            rest, settings.database.busy_timeout_seconds, may_create=may_create
        )
    if scheme in _SERVERS:
        return _SERVERS[scheme](
            settings.database_url,
            max_connections=settings.database.max_connections,
            pool_timeout=pool_timeout,
            connect_timeout=_CONNECT_TIMEOUT_SECONDS,
        )
    raise DatabaseUnreachable(
        "DATABASE_URL must begin with sqlite:///, postgresql://, mysql:// or mariadb://."
    )


@contextmanager
def removed_if_new(settings: Settings) -> Iterator[None]:
    """Where the block fails, leave no database behind that was not there before."""
    scheme, _, rest = settings.database_url.partition("://")
    with ExitStack() as stack:
        if scheme == "sqlite":
            stack.enter_context(sqlite.removed_if_new(rest))
            stack.push(_close_all)
        yield


def _close_all(*_: object) -> None:
    if database.obj is not None:
        database.close_all()


def describe_database(settings: Settings) -> str:
    """Return the database of `DATABASE_URL` for an operator, without user, password and options."""
    scheme, _, rest = settings.database_url.partition("://")
    if scheme == "sqlite":
        return f"sqlite:///{unquote(rest.removeprefix('/'))}"
    return f"{scheme}://{rest.rpartition('@')[2].partition('?')[0]}"


@contextmanager
def hold_connection() -> Iterator[None]:
    """Hold a connection for the block; within a block that holds one, do nothing.

    A transaction never outlives the block, because `transaction` alone begins one: Peewee would
    refuse to close the connection.

    Raises:
        DatabaseUnreachable: The database refused the connection, or the connection was lost.
    """
    try:
        opened = database.connect(reuse_if_open=True)
    except MaxConnectionsExceeded:
        raise DatabaseUnreachable(
            "Every connection to the database was in use for "
            f"{database._wait_timeout:g} seconds: "
            "raise max_connections in [Database] of config.toml."
        ) from None
    except (peewee.PeeweeException, OSError) as error:
        raise DatabaseUnreachable.because(error) from None
    try:
        yield
    except (peewee.InterfaceError, peewee.OperationalError) as error:
        raise DatabaseUnreachable.because(error) from error
    finally:
        if opened:
            database.close()


_observe: Callable[[], AbstractContextManager[None]] = nullcontext


def observe_transactions(observe: Callable[[], AbstractContextManager[None]] | None) -> None:
    """Let each transaction run within what `observe` returns, such as the span of a trace."""
    global _observe  # noqa: PLW0603  The one switch of the process.
    _observe = observe or nullcontext


@contextmanager
def transaction() -> Iterator[None]:
    """Run the block as one transaction, on the connection that is held or on one of its own.

    Call no provider and hash nothing within it: on SQLite all other writers wait.
    """
    with _observe(), hold_connection(), database.atomic():
        yield


@contextmanager
def light_transaction() -> Iterator[None]:
    """Run the block as one large transaction that a loss of power may undo, if it is the last one.

    On SQLite it does not wait for the disk; on a server it is like any other.
    """
    with hold_connection():
        is_sqlite = isinstance(database.obj, sqlite.SqliteDatabase)
        with database.obj.commit_lightly() if is_sqlite else nullcontext(), transaction():
            yield


def is_answering() -> bool:
    """Tell whether the database answers a query now."""
    try:
        with hold_connection():
            database.execute_sql("SELECT 1")
    except (DatabaseUnreachable, peewee.PeeweeException):
        return False
    return True
