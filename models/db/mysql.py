"""MySQL and MariaDB, set up so that they keep and compare text as the other databases do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

import peewee
from playhouse.pool import PooledMySQLDatabase

from models.db.errors import DatabaseUnreachable

#: The client, which is not among what `make run` installs: it brings bcrypt into every process.
_CLIENT: Final = "pymysql"
_PORT: Final = 3306
#: What the protocol calls CLIENT_FOUND_ROWS.
_FOUND_ROWS: Final = 2
#: Longer than any migration that another process may be at.
_LOCK_SECONDS: Final = 3600
_LONGEST_NAME: Final = 64
#: What a URL may say behind the question mark.
_OPTIONS: Final = frozenset({"unix_socket", "ssl_ca", "ssl_cert", "ssl_key"})
_SESSION: Final[dict[str, Any]] = {
    # A row that was found counts as changed though it has the same value as before: every
    # compare-and-set hangs on that.
    "client_flag": _FOUND_ROWS,
    # What does not fit is refused, not cut off.
    "sql_mode": "STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION",
    # As PostgreSQL has it; the stricter default locks the gaps between rows, and so deadlocks.
    "init_command": "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
}


class MysqlDatabase(PooledMySQLDatabase):  # type: ignore[misc]
    """A pool of connections to one database."""

    #: TEXT and BLOB would end at 64 KB, where those of the others have no end.
    field_types: Final = {
        **PooledMySQLDatabase.field_types,
        "BLOB": "LONGBLOB",
        "TEXT": "LONGTEXT",
    }

    def conflict_update(self, on_conflict: peewee.OnConflict, query: peewee.Insert) -> Any:
        """Leave out which column may conflict: the others want to be told, this one refuses to."""
        return super().conflict_update(on_conflict.conflict_target(), query)

    @contextmanager
    def alone(self, name: str) -> Iterator[None]:
        """Hold a lock of that name on this database, and make the tables of the block exact.

        Its statements that change a table cannot be taken back, and end a transaction: no lock
        within one would last.
        """
        lock = f"{name}/{self.database}"[:_LONGEST_NAME]
        [is_ours] = self.execute_sql("SELECT GET_LOCK(%s, %s)", (lock, _LOCK_SECONDS)).fetchone()
        if not is_ours:
            raise DatabaseUnreachable(f"Somebody else has migrated for {_LOCK_SECONDS} seconds.")
        try:
            self._compare_exactly()
            yield
        finally:
            self.execute_sql("SELECT RELEASE_LOCK(%s)", (lock,)).fetchone()

    def _compare_exactly(self) -> None:
        """Let tables that are made from now on tell texts apart that differ in any byte.

        By default "Ann" and "ann" are one and the same account. MariaDB and MySQL have no name in
        common for a collation that heeds blanks at the end.
        """
        asked = self.execute_sql("SELECT VERSION(), @@collation_database")
        version, collation = asked.fetchone()
        exact = "utf8mb4_nopad_bin" if "mariadb" in version.lower() else "utf8mb4_0900_bin"
        if collation != exact:
            self.execute_sql(f"ALTER DATABASE CHARACTER SET utf8mb4 COLLATE {exact}")


def open_mysql(
    url: str, max_connections: int, patience: int, connect_timeout: int
) -> MysqlDatabase:
    """Return the database of a URL, not yet connected.

    Raises:
        DatabaseUnreachable: The URL is not one of such a database, or its client is missing.
    """
    parts = _parts(url)
    if find_spec(_CLIENT) is None:
        raise DatabaseUnreachable(
            "DATABASE_URL is that of a MySQL or MariaDB, whose client is missing: install it with "
            "`.venv/bin/python -m pip install pymysql`."
        )
    return MysqlDatabase(
        autoconnect=False,
        max_connections=max_connections,
        timeout=patience,
        connect_timeout=connect_timeout,
        **_SESSION,
        **parts,
    )


def _parts(url: str) -> dict[str, Any]:
    """Take a URL apart; what is wrong with it is told without its password."""
    try:
        parts = urlsplit(url)
        port = parts.port or _PORT
    except ValueError:
        raise _bad_url() from None
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    name = unquote(parts.path[1:])
    host = parts.hostname or ("localhost" if "unix_socket" in options else None)
    if not host or not name or "/" in name or parts.fragment or set(options) - _OPTIONS:
        raise _bad_url()
    return {
        "database": name,
        "host": host,
        "port": port,
        "user": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
        **options,
    }


def _bad_url() -> DatabaseUnreachable:
    return DatabaseUnreachable(
        "DATABASE_URL is not mysql://user:password@host:port/database; special characters in the "
        f"password are written as %40 for @, %2F for / and so on, and behind ? may stand "
        f"{', '.join(sorted(_OPTIONS))}."
    )
