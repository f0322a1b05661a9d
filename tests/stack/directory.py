"""A copy of the repository's top folder, in which a test runs the command line as a user would."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

import psutil

from config import ROOT
from tests.ports import free_port

_PACKAGES: Final = ("actors", "catfeeder", "models", "worker")
_FILES: Final = (*ROOT.glob("*.py"), ROOT / "config.toml", ROOT / "Procfile")
#: Variables that a developer's shell may have set, which would lead a test to their data.
_FOREIGN: Final = (
    *("SECRET_KEY", "SECRET_KEY_PREVIOUS", "ADMIN_API_KEY"),
    *("REDIS_URL", "DATABASE_URL", "VAR_DIR", "HOST"),
)

#: How often nothing must have changed among the processes.
_LOOKS: Final = 3

#: Stands in for the HTTP shim and the workers, so that these tests are about the supervisor.
STAND_IN = """\
import http.server, os, signal, sys

class Healthy(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/health" else 404)
        self.end_headers()

    def log_message(self, *arguments):
        pass

def end(*_):
    print("ends")
    sys.exit()

signal.signal(signal.SIGTERM, end)
http.server.HTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Healthy).serve_forever()
"""
PROCFILE = """\
web: python stand_in.py
passwords: sh -c 'touch written; echo at work with $REDIS_URL; exec sleep 600'
scheduler: sleep 600
"""


@contextmanager
def standing_in(path: Path) -> Iterator[ServiceDirectory]:
    """Make a directory whose Procfile starts stand-ins, and end what is left in it."""
    directory = ServiceDirectory(path)
    (path / "stand_in.py").write_text(STAND_IN)
    (path / "Procfile").write_text(PROCFILE)
    try:
        yield directory
    finally:
        directory.end_all()


class ServiceDirectory:
    """The files that the service reads are copies, its code is the one under test."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.port = free_port()
        self._services: list[RunningService] = []
        for name in _PACKAGES:
            (path / name).symlink_to(ROOT / name)
        for file in _FILES:
            shutil.copy(file, path)

    def environment(self, variables: dict[str, str]) -> dict[str, str]:
        """Return the environment that a user would have, with `variables`."""
        inherited = {name: value for name, value in os.environ.items() if name not in _FOREIGN}
        return {**inherited, "PORT": str(self.port), **variables}

    def worker(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run `python -m worker` to its end."""
        return subprocess.run(
            [sys.executable, "-m", "worker", *arguments],
            cwd=self.path,
            env=self.environment(variables),
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )

    def run(self, **variables: str) -> RunningService:
        """Start `python -m worker run`."""
        service = RunningService(self.path, self.environment(variables))
        self._services.append(service)
        return service

    def healthy(self, **variables: str) -> RunningService:
        """Start `python -m worker run`, and return once it says that it listens."""
        service = self.run(**variables)
        service.await_line("curl -s")
        return service

    def is_answering(self, port: int | None = None) -> bool:
        """Return whether a server listens at our port, or at another."""
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port or self.port), timeout=1).close()
            return True
        return False

    def processes(self, part: str = "") -> list[psutil.Process]:
        """Return all processes that run in this directory, with `part` in the command."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                is_here = Path(process.cwd()).is_relative_to(self.path)
                if is_here and part in " ".join(process.cmdline()):
                    found.append(process)
        return found

    def pids(self, part: str = "") -> list[int]:
        """Return their process ids."""
        return [process.pid for process in self.processes(part)]

    def settled_pids(self) -> list[int]:
        """Return them once there is none that was started for a moment only."""
        looks: list[list[int]] = []
        while len(looks) < _LOOKS or looks[-_LOOKS:] != [looks[-1]] * _LOOKS:
            looks.append(self.pids())
            time.sleep(0.2)
        return looks[-1]

    def sockets(self) -> list[Path]:
        """Return the unix sockets that lie in this directory."""
        return [path for path in self.path.rglob("*") if path.is_socket()]

    def end_all(self) -> None:
        """End what a failed test has left."""
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for service in self._services:
            service.end()


class RunningService:
    """A service that a test has started, and what it has said so far."""

    def __init__(self, path: Path, environment: dict[str, str]) -> None:
        """Start it; each line that it prints is kept."""
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", "worker", "run"],
            cwd=path,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        assert self.process.stdout is not None
        self._reader = threading.Thread(target=self._read, args=(self.process.stdout,), daemon=True)
        self._reader.start()

    @property
    def output(self) -> str:
        """All that was said."""
        return "\n".join(self.lines)

    def await_line(self, part: str, seconds: float = 60) -> str:
        """Return the first line that contains `part`, as soon as there is one."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            is_ended = not self._reader.is_alive()
            for line in self.lines:
                if part in line:
                    return line
            if is_ended:
                break
            time.sleep(0.01)
        raise AssertionError(f"no line with {part!r} in:\n{self.output}")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal, wait for the end and return the exit status."""
        self.process.send_signal(number)
        return self.end()

    def end(self, seconds: float = 60) -> int:
        """Wait for the end and return the exit status."""
        status = self.process.wait(seconds)
        self._reader.join(seconds)
        return status

    def _read(self, stream: IO[str]) -> None:
        with stream:
            for line in stream:
                self.lines.append(line.rstrip("\n"))
