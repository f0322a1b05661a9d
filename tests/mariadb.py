"""A real MariaDB in a temporary folder, for machines on which it and its client are installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Final

_START_SECONDS: Final = 60
#: Where distributions put servers, whether or not a user has it on PATH.
_PATH: Final = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])


def is_mariadb_installed() -> bool:
    """Tell whether there are both the server and the client, which `make setup` does not bring."""
    return all(map(_find, ("mariadbd", "mariadb-install-db"))) and bool(find_spec("pymysql"))


def _find(program: str) -> str | None:
    return shutil.which(program, path=_PATH)


class MariadbServer:
    """A MariaDB on a unix socket that makes an empty database for each caller."""

    def __init__(self, directory: Path) -> None:
        """Take the folder for the socket, whose path must be short, and for the data."""
        self._socket = directory / "mariadb.sock"
        self._count = 0
        options = ["--no-defaults", f"--datadir={directory / 'data'}"]
        if os.geteuid() == 0:
            options.append("--user=root")
        _set_up(options)
        self._process = subprocess.Popen(
            [
                *(str(_find("mariadbd")), *options),
                *(f"--socket={self._socket}", "--skip-networking"),
                # What a test has stored need not outlive the machine.
                *("--innodb-flush-log-at-trx-commit=0", "--skip-log-bin"),
            ],
            stderr=subprocess.DEVNULL,
        )
        self._await_start()

    def _await_start(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        # It begins to listen when it is ready to serve.
        while not self._socket.exists():
            assert self._process.poll() is None, "MariaDB ended at once"
            assert time.monotonic() < deadline, "MariaDB did not start in time"
            time.sleep(0.05)

    def execute(self, statement: str) -> None:
        """Carry out a statement as the administrator."""
        command = [str(_find("mariadb")), f"--socket={self._socket}", "--user=root", "--execute"]
        subprocess.run([*command, statement], check=True)

    @contextmanager
    def database(self) -> Iterator[str]:
        """Create a database for the block and yield its DATABASE_URL."""
        self._count += 1
        name = f"catfeeder_{self._count}"
        # As a server's administrator may have left it, and as nobody could keep accounts apart.
        self.execute(f"CREATE DATABASE {name} CHARACTER SET latin1 COLLATE latin1_general_ci")
        yield f"mariadb://root@localhost/{name}?unix_socket={self._socket}"
        self.execute(f"DROP DATABASE {name}")

    def stop(self) -> None:
        """End the server."""
        self._process.terminate()
        self._process.wait()


def _set_up(options: list[str]) -> None:
    subprocess.run(
        [
            *(str(_find("mariadb-install-db")), *options),
            *("--auth-root-authentication-method=normal", "--skip-test-db"),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
    )


@contextmanager
def running_mariadb() -> Iterator[MariadbServer]:
    """Start a MariaDB for the block."""
    directory = Path(tempfile.mkdtemp(prefix="cf-"))
    server = MariadbServer(directory)
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(directory)
