"""PostgreSQL: a connection pool that checks liveness, and a URL that never shows its password."""

from __future__ import annotations

import contextlib
import math
import re
import select
import time
from typing import Any, Final

from playhouse.postgres_ext import PooledPsycopg3Database

from models.db.errors import DatabaseUnreachable

#: Parameters of libpq where the URL sets none. A machine that dies sends no word: without these
#: keep-alives a thread would wait for two hours.
_KEEPALIVES: Final[dict[str, int]] = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}
#: A connection used within this time counts as alive.
_FRESH_SECONDS: Final = 1.0


class PostgresqlDatabase(PooledPsycopg3Database):  # type: ignore[misc]
    """A pool that asks the server about a connection only if that was idle for a while.

    Peewee asks before each use, while all other threads wait for the pool. For a connection used a
    moment ago a look at the socket suffices: it is readable only if the server has closed it.
    """

    def _is_closed(self, conn: Any) -> bool:
        is_fresh = time.monotonic() - getattr(conn, "used_at", -math.inf) < _FRESH_SECONDS
        if is_fresh and not conn.closed and not _is_readable(conn):
            return False
        return bool(super()._is_closed(conn))

    def _can_reuse(self, conn: Any) -> bool:
        conn.used_at = time.monotonic()
        return bool(super()._can_reuse(conn))


def _is_readable(conn: Any) -> bool:
    # `select.select` refuses descriptors from 1024 on, of which a busy process has some.
    poll = select.poll()
    poll.register(conn, select.POLLIN)
    return bool(poll.poll(0))


def open_postgresql(
    url: str, *, max_connections: int, pool_timeout: float, connect_timeout: int
) -> PostgresqlDatabase:
    """Return the database of a URL, not yet connected; both timeouts are in seconds.

    Raises:
        DatabaseUnreachable: The URL is malformed.
    """
    defaults = {"connect_timeout": connect_timeout, **_KEEPALIVES}
    parts = _parse(url)
    return PostgresqlDatabase(
        url,
        autoconnect=False,
        max_connections=max_connections,
        timeout=pool_timeout,
        **{name: parts.get(name, default) for name, default in defaults.items()},
    )


def _parse(url: str) -> dict[str, Any]:
    """Split a URL into parameters of libpq, whose own errors would show the password."""
    # Peewee has loaded it already in a process that uses PostgreSQL.
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
