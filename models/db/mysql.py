"""MySQL and MariaDB: text is stored and compared byte by byte, as the other databases do."""

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
#: CLIENT_FOUND_ROWS of the protocol.
_FOUND_ROWS: Final = 2
#: Longer than any migration of another process.
_LOCK_SECONDS: Final = 3600
_MAX_LOCK_NAME_LENGTH: Final = 64
#: What the query of a URL may set.
_OPTIONS: Final = frozenset({"unix_socket", "ssl_ca", "ssl_cert", "ssl_key"})
_SESSION: Final[dict[str, Any]] = {
    # A row that was found counts as changed even if its values stay the same: every
    # compare-and-set depends on that.
    "client_flag": _FOUND_ROWS,
    # A text that is too long is refused, not cut off.
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
        """Omit the column that may conflict: the other databases need it, this one refuses it."""
        return super().conflict_update(on_conflict.conflict_target(), query)

    @contextmanager
    def migration_lock(self, name: str) -> Iterator[None]:
        """Hold a named lock on this database, and let new tables compare text byte by byte.

        A transaction could hold no lock here: a statement that changes a table ends it.

        Raises:
            DatabaseUnreachable: Another process held the lock for an hour.
        """
        lock = f"{name}/{self.database}"[:_MAX_LOCK_NAME_LENGTH]
        [is_ours] = self.execute_sql("SELECT GET_LOCK(%s, %s)", (lock, _LOCK_SECONDS)).fetchone()
        if not is_ours:
            raise DatabaseUnreachable(f"Another process has migrated for {_LOCK_SECONDS} seconds.")
        try:
            self._compare_exactly()
            yield
        finally:
            self.execute_sql("SELECT RELEASE_LOCK(%s)", (lock,)).fetchone()

    def _compare_exactly(self) -> None:
        """Set the collation of tables made from now on, so that texts differ if any byte does.

        By default "Ann" and "ann" are the same account. MariaDB and MySQL share no name for a
        collation that heeds blanks at the end.
        """
        asked = self.execute_sql("SELECT VERSION(), @@collation_database")
        version, collation = asked.fetchone()
        exact = "utf8mb4_nopad_bin" if "mariadb" in version.lower() else "utf8mb4_0900_bin"
        if collation != exact:
            self.execute_sql(f"ALTER DATABASE CHARACTER SET utf8mb4 COLLATE {exact}")


def open_mysql(
    url: str,
    *,
    max_connections: int,
    pool_timeout: float,
    connect_timeout: int,
    client: str = _CLIENT,
) -> MysqlDatabase:
    """Return the database of a URL, not yet connected; both timeouts are in seconds.

    Raises:
        DatabaseUnreachable: The URL is malformed, or the client is not installed.
    """
    parts = parse_mysql_url(url)
    if find_spec(client) is None:
        raise DatabaseUnreachable(
            "DATABASE_URL is that of a MySQL or MariaDB, whose client is missing: install it with "
            "`.venv/bin/python -m pip install pymysql`."
        )
    return MysqlDatabase(
        autoconnect=False,
        max_connections=max_connections,
        timeout=pool_timeout,
        connect_timeout=connect_timeout,
        **_SESSION,
        **parts,
    )


def parse_mysql_url(url: str) -> dict[str, Any]:
    """Split a URL into arguments of the client.

    Raises:
        DatabaseUnreachable: The URL is malformed; the error does not show its password.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or _PORT
    except ValueError:
        raise _build_url_error() from None
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    name = unquote(parts.path[1:])
    host = parts.hostname or ("localhost" if "unix_socket" in options else None)
    if not host or not name or "/" in name or parts.fragment or set(options) - _OPTIONS:
        raise _build_url_error()
    return {
        "database": name,
        "host": host,
        "port": port,
        "user": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
        **options,
    }


def _build_url_error() -> DatabaseUnreachable:
    return DatabaseUnreachable(
        "DATABASE_URL is not mysql://user:password@host:port/database; special characters in the "
        f"password are written as %40 for @, %2F for / and so on, and behind ? may stand "
        f"{', '.join(sorted(_OPTIONS))}."
    )
