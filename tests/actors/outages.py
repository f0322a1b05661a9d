"""A database that takes nothing for a while, in the midst of a test."""

from __future__ import annotations

import gc
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg


@contextmanager
def outage(database_url: str) -> Iterator[None]:
    """Refuse all writes to the database for the block; the servers refuse connections too."""
    scheme, _, rest = database_url.partition("://")
    if scheme == "sqlite":
        kind = _locked(rest.removeprefix("/"))
    elif scheme == "postgresql":
        kind = _closed(database_url)
    else:
        kind = _hidden(database_url)
    with kind:
        yield


@contextmanager
def _locked(path: str) -> Iterator[None]:
    other = sqlite3.connect(path, isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        yield
    finally:
        other.close()


@contextmanager
def _closed(url: str) -> Iterator[None]:
    name = urlsplit(url).path.removeprefix("/")
    admin_url = url.replace(f"/{name}?", "/postgres?")
    with psycopg.connect(admin_url, autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false".encode())
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
        )
        try:
            yield
        finally:
            admin.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS true".encode())


@contextmanager
def _hidden(url: str) -> Iterator[None]:
    """Take a MariaDB's socket away, and end the connections that there are."""
    socket = Path(parse_qs(urlsplit(url).query)["unix_socket"][0])
    ids = _run_sql(
        socket, "SELECT id FROM information_schema.processlist WHERE db LIKE 'catfeeder%'"
    )
    _run_sql(socket, "".join(f"KILL {number};" for number in ids.split()))
    away = socket.rename(socket.with_suffix(".away"))
    try:
        yield
    finally:
        away.rename(socket)
        # Its client leaves the sockets that were cut to Python, which is to find them in this test.
        gc.collect()


def _run_sql(socket: Path, statements: str) -> str:
    command = ["mariadb", f"--socket={socket}", "--user=root", "-N", "--force", "-e", statements]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
