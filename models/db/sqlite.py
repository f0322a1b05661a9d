"""SQLite: a file kept open in WAL mode, whose writers and first openers wait for its lock."""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

import peewee
from playhouse.pool import PooledSqliteDatabase

from config import ROOT
from models.db.errors import DatabaseInUse, DatabaseMissing, DatabaseUnreachable

_PRAGMAS: Final = {
    "journal_mode": "wal",
    # A token that was reported as stored must survive a loss of power.
    "synchronous": "full",
    "foreign_keys": 1,
    # Pages, 32 MB: a renewal changes the same ones several times, and each checkpoint writes a page
    # of the log once. SQLite's default of 1,000 is less than what one sweep changes.
    "wal_autocheckpoint": 8000,
}
#: What a large transaction gets instead, and what follows it: SQLite's default again.
_LIGHT: Final = ("synchronous = normal", "cache_size = -12000")
_USUAL: Final = (f"synchronous = {_PRAGMAS['synchronous']}", "cache_size = -2000")
_BUSY_POLL_SECONDS: Final = 0.02
#: Idle connections kept open. Few threads read or write at the same moment.
_MAX_IDLE_CONNECTIONS: Final = 3


class _Connection(sqlite3.Connection):
    """A connection that knows the device and inode of its file."""

    file: tuple[int, int] | None = None


class SqliteDatabase(PooledSqliteDatabase):  # type: ignore[misc]
    """A pool of connections to one file.

    Opening a file takes longer than most queries, and closing its last connection tidies it up.
    A file that was moved away or restored is another database, and is opened anew.
    """

    def __init__(self, path: str, timeout: float, **options: Any) -> None:
        """Wait up to `timeout` seconds for the file's lock."""
        super().__init__(
            path,
            # A thread waits for SQLite's lock, never for a connection of the pool as well.
            max_connections=None,
            # Threads pass a connection on; no two use it at the same time.
            check_same_thread=False,
            factory=_Connection,
            **options,
        )
        # As an argument it would be the time to wait for a connection.
        self.timeout = timeout

    def _connect(self) -> Any:
        # SQLite heeds no timeout when a new file turns to WAL while another process writes to it.
        deadline = time.monotonic() + self.timeout
        while True:
            try:
                return super()._connect()
            except sqlite3.OperationalError as error:
                # The lower byte is the code, the rest a closer description.
                is_busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
                if not is_busy or time.monotonic() >= deadline:
                    raise
            time.sleep(_BUSY_POLL_SECONDS)

    def _add_conn_hooks(self, conn: _Connection) -> None:
        conn.file = self._find_file()
        super()._add_conn_hooks(conn)

    def _find_file(self) -> tuple[int, int] | None:
        with contextlib.suppress(OSError):
            # For each use of a connection: a Path would take ten times as long to make.
            found = os.stat(self.database)  # noqa: PTH116
            return found.st_dev, found.st_ino
        return None

    def _is_closed(self, conn: _Connection) -> bool:
        if conn.file == self._find_file():
            return bool(super()._is_closed(conn))
        conn.close()
        return True

    @contextmanager
    def commit_lightly(self) -> Iterator[None]:
        """Let the transaction that the block makes on the held connection not wait for the disk.

        A loss of power may undo it as long as no other transaction was committed after it. Its
        pages are kept in memory until it ends. Within a transaction do nothing.
        """
        if self.in_transaction():
            yield
            return
        connection = self.connection()
        try:
            _set_pragmas(connection, _LIGHT)
            yield
        finally:
            try:
                _set_pragmas(connection, _USUAL)
            except peewee.PeeweeException:
                # The pool drops it: no other transaction may be committed like this.
                connection.close()
                raise

    def _can_reuse(self, conn: _Connection) -> bool:
        return len(self._connections) < _MAX_IDLE_CONNECTIONS and super()._can_reuse(conn)


def _set_pragmas(connection: sqlite3.Connection, pragmas: Iterable[str]) -> None:
    with peewee.__exception_wrapper__:  # type: ignore[attr-defined]
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")


def _make_file(path: Path, *, may_create: bool) -> None:
    try:
        if not may_create and not os.path.lexists(path):
            raise DatabaseMissing.at(path)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)
    except (OSError, ValueError) as error:
        raise DatabaseUnreachable.because(error) from None


def find_file(location: str) -> Path:
    """Return the file of a URL, whose part behind `sqlite://` is `location`.

    Raises:
        DatabaseUnreachable: The URL names no file.
    """
    if not re.fullmatch("/[^?#]+", location) or location == "/:memory:":
        # In memory each connection would see a database of its own.
        raise DatabaseUnreachable(
            "DATABASE_URL must name a file: sqlite:///relative/path or sqlite:////absolute/path."
        )
    return ROOT / unquote(location[1:])


@contextmanager
def removed_if_new(location: str) -> Iterator[None]:
    """Where the block fails, remove a file that was not there before, and the folders above it."""
    path = find_file(location)
    was_there = os.path.lexists(path)
    made = [folder for folder in path.parents if not folder.exists()]
    try:
        yield
    except BaseException as error:
        # One that is in use is that of a service which was started meanwhile.
        if not was_there and not isinstance(error, DatabaseInUse):
            for suffix in ("", "-wal", "-shm", "-journal"):
                path.with_name(path.name + suffix).unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                for folder in made:
                    folder.rmdir()
        raise


def open_sqlite(
    location: str, busy_timeout_seconds: int, *, may_create: bool = True
) -> SqliteDatabase:
    """Return the database of a URL, whose part behind `sqlite://` is `location`.

    The file is made, readable by this user alone; a relative path begins at the project's root.

    Raises:
        DatabaseMissing: There is no file, and it may not be created.
        DatabaseUnreachable: The URL names no file, or none that can be made.
    """
    path = find_file(location)
    _make_file(path, may_create=may_create)
    return SqliteDatabase(
        str(path),
        # Left on, it opens a connection at a thread's first query and never closes it.
        autoconnect=False,
        pragmas=_PRAGMAS,
        timeout=busy_timeout_seconds,
        # Takes the write lock at BEGIN. With the deferred default a transaction that reads first
        # fails at once with "database is locked", whatever the timeout.
        lock_type="IMMEDIATE",
    )
