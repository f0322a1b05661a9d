"""SQLite, kept open, and set up so that processes which open a new file wait for one another."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from pathlib import Path
from typing import Any, Final

from playhouse.pool import PooledSqliteDatabase

_PAUSE_SECONDS: Final = 0.02
#: Connections that wait for whoever comes next. Few write or read at the same moment.
_MOST_KEPT: Final = 3


class _Connection(sqlite3.Connection):
    """A connection that knows which file it has opened."""

    file: tuple[int, int] | None = None


class WaitingSqliteDatabase(PooledSqliteDatabase):  # type: ignore[misc]
    """A database that is kept open, and whose first connections get their turn.

    Opening it takes longer than what most do with it, and whoever closes its last connection has to
    tidy up the file each time.

    Who turns a new file to write-ahead logging while another process writes to it is told at once
    that the database is locked: for this one change SQLite heeds no timeout.
    """

    def __init__(self, path: str, timeout: float, **more: Any) -> None:
        """Take the file, for how many seconds its lock is waited for, and how it is set up."""
        super().__init__(
            path,
            # Each thread that comes waits for the lock of SQLite, and not for a connection as well.
            max_connections=None,
            # A connection goes from one thread to the next, and is never used by two at a time.
            check_same_thread=False,
            factory=_Connection,
            **more,
        )
        # Told above, it would be the time to wait for a connection.
        self.timeout = timeout

    def _connect(self) -> Any:
        deadline = time.monotonic() + self.timeout
        while True:
            try:
                return super()._connect()
            except sqlite3.OperationalError as error:
                # The lower byte is the code, what is above it a closer description.
                is_busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
                if not is_busy or time.monotonic() >= deadline:
                    raise
            time.sleep(_PAUSE_SECONDS)

    def _add_conn_hooks(self, conn: _Connection) -> None:
        conn.file = self._file()
        super()._add_conn_hooks(conn)

    def _file(self) -> tuple[int, int] | None:
        with contextlib.suppress(OSError):
            found = Path(self.database).stat()
            return found.st_dev, found.st_ino
        return None

    def _is_closed(self, conn: _Connection) -> bool:
        if conn.file == self._file():
            return bool(super()._is_closed(conn))
        # A file that was moved away, or restored, is another database than the one that is open.
        conn.close()
        return True

    def _can_reuse(self, conn: _Connection) -> bool:
        return len(self._connections) < _MOST_KEPT and super()._can_reuse(conn)
