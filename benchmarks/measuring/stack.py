"""Stack under measurement: the service as `make run` starts it, in a directory of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote

import psutil

import catfeeder
from benchmarks.measuring.caretaker import ensure_caretaker
from catfeeder.client import Client
from catfeeder.queue.keys import AppKey
from catfeeder.queue.requester import DEFAULT_APP
from catfeeder.sealing import QUEUE_LABEL, Secret, derive_key
from tests.stack.directory import RunningService, ServiceDirectory

SECRET_KEY: Final = "a-secret-key-that-guards-nothing-but-figures"
ADMIN_API_KEY: Final = "an-admin-key-that-guards-nothing-but-figures"


class Stack:
    """A directory with all that the service needs, where it can be started and started again."""

    def __init__(self, directory: ServiceDirectory) -> None:
        """Allow hashes as cheap as 4 rounds in the directory."""
        self.directory = directory
        self.port = directory.port
        conf = directory.path / "config.toml"
        conf.write_text(conf.read_text().replace("testing = false", "testing = true"))

    @property
    def environment(self) -> dict[str, str]:
        """The variables that `.env` would hold."""
        return {
            "SECRET_KEY": SECRET_KEY,
            "ADMIN_API_KEY": ADMIN_API_KEY,
            "VAR_DIR": str(self.directory.path / "var"),
            # A second start reads the bytecode that the first one wrote, whatever the shell says.
            "PYTHONDONTWRITEBYTECODE": "",
        }

    @property
    def redis_url(self) -> str:
        """Where the service's own Valkey listens."""
        return f"unix://{quote(str(self.directory.path / 'var' / 'valkey' / 'valkey.sock'))}"

    def start(self) -> RunningService:
        """Start the service, and return once it says that it is healthy."""
        return self.directory.healthy(**self.environment)

    def core_seconds(self) -> float:
        """Return how long all processes together have kept a core busy so far."""
        return sum(map(core_seconds, self.directory.processes()))

    def client(self) -> Client:
        """Return a client, as an app would make it."""
        key = derive_key(Secret(SECRET_KEY), QUEUE_LABEL)
        return catfeeder.connect(self.redis_url, AppKey.derive(key, DEFAULT_APP, 1).to_text())


def core_seconds(process: psutil.Process) -> float:
    """Return how long a process has kept a core busy so far."""
    user_seconds, system_seconds, *_ = process.cpu_times()
    return float(user_seconds + system_seconds)


@contextmanager
def new_stack() -> Iterator[Stack]:
    """Make the directory, and leave nothing of it or in it behind."""
    ensure_caretaker()
    # The path of a unix socket must be short, wherever temporary files are kept.
    path = Path(tempfile.mkdtemp(prefix="cf-", dir="/tmp"))
    directory = ServiceDirectory(path)
    try:
        yield Stack(directory)
    finally:
        directory.end_all()
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def running(
    command: Sequence[str], variables: Mapping[str, str], directory: Path | None = None
) -> Iterator[psutil.Process]:
    """Keep another process running for the block, and yield it."""
    ensure_caretaker()
    process = subprocess.Popen(
        command,
        cwd=directory,
        env={**os.environ, **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(20)
        # What it has started, and has not ended, is in its group.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
