"""SQLite, set up so that processes which open a new file at once wait for one another."""

from __future__ import annotations

import sqlite3
import time
from typing import Any, Final

import peewee

_PAUSE_SECONDS: Final = 0.02


class WaitingSqliteDatabase(peewee.SqliteDatabase):
    """A database whose first connections get their turn, as all later ones do by themselves.

    Who turns a new file to write-ahead logging while another process writes to it is told at once
    that the database is locked: for this one change SQLite heeds no timeout.
    """

    def _connect(self) -> Any:
        deadline = time.monotonic() + self.timeout
        while True:
            try:
                return super()._connect()  # type: ignore[misc]
            except sqlite3.OperationalError as error:
                # The lower byte is the code, what is above it a closer description.
                is_busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
                if not is_busy or time.monotonic() >= deadline:
                    raise
            time.sleep(_PAUSE_SECONDS)
