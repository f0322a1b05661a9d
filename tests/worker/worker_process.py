"""Worker processes that tests may kill and freeze, and that perform what the message says."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from config import ROOT

#: Performs as `python -m worker perform` does, but the password says how long a hash lasts: "2 s"
#: two seconds; "2 s, try 3" two at the third try and far longer before; "gate 1" until the test
#: opens it. "poison" ends the process as a segmentation fault would. In the newer release a hash
#: may have a flavour. Failure detection is quicker than in production.
_PROGRAM: Final = """
import os, signal, sys, time
from actors.passwords import hashing
from catfeeder.sealing import Secret
from worker.consuming import releases

def perform(password: Secret) -> dict[str, str]:
    text = password.reveal()
    with open(os.environ["PERFORMED"], "a") as performed:
        performed.write(text + "\\n")
    if text == "poison":
        time.sleep(0.2)
        os.kill(os.getpid(), signal.SIGKILL)
    while text.startswith("gate") and not os.path.exists(os.environ["PERFORMED"] + "." + text):
        time.sleep(0.02)
    if text.startswith("gate"):
        return {"password_hash": text}
    tries = open(os.environ["PERFORMED"]).read().count(text + "\\n")
    is_time = tries >= int(text.partition("try ")[2] or 1)
    time.sleep(float(text.partition(" ")[0]) if is_time else 60)
    return {"password_hash": text}

def hash_password(password: Secret, rounds: int | None = None) -> dict[str, str]:
    return perform(password)

def hash_flavoured(
    password: Secret, rounds: int | None = None, flavour: str = ""
) -> dict[str, str]:
    return perform(password)

threads, grace, release = sys.argv[1:]
hashing.hash_password = hash_flavoured if release == "newer" else hash_password
releases.own_release = lambda: release
from worker.consuming.heartbeats import HeartbeatTiming
from worker.process.perform import perform_messages
timing = HeartbeatTiming(interval=0.3, timeout=2.0, gap=1.2)
slots = int(threads)
sys.exit(
    perform_messages(
        ["passwords"], slots, slots, float(grace), schedule=False, heartbeat_timing=timing
    )
)
"""


class WorkerProcess:
    """A worker of the passwords, in a process of its own."""

    def __init__(
        self, environment: dict[str, str], performed: Path, threads: int, grace: int, release: str
    ) -> None:
        """Start it."""
        self.performed_path = performed
        self.log_path = performed.with_suffix(f".{os.urandom(4).hex()}.log")
        with self.log_path.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM, str(threads), str(grace), release],
                cwd=ROOT,
                env={**os.environ, **environment, "PERFORMED": str(performed)},
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    @property
    def log(self) -> str:
        """What it has printed."""
        return self.log_path.read_text()

    def performed(self) -> list[str]:
        """Return what any worker of the test has begun to perform."""
        return self.performed_path.read_text().split("\n")[:-1]

    def is_ready(self) -> bool:
        """Return whether it takes messages."""
        return "Ready for the messages" in self.log

    def is_alive(self) -> bool:
        """Return whether it runs, or is frozen."""
        return self.process.poll() is None

    def kill(self) -> None:
        """End it as a lack of memory would."""
        self.process.kill()
        self.process.wait()

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)


class Workers:
    """The workers of a test; a second machine is another VAR_DIR."""

    def __init__(self, environment: dict[str, str], directory: Path) -> None:
        self._environment = environment
        self._directory = directory
        self._performed = directory / "performed"
        self._performed.touch()
        self.started: list[WorkerProcess] = []

    def start(
        self, *, threads: int = 1, machine: str = "here", grace: int = 5, release: str = "older"
    ) -> WorkerProcess:
        """Start a worker."""
        environment = {**self._environment, "VAR_DIR": str(self._directory / machine)}
        worker = WorkerProcess(environment, self._performed, threads, grace, release)
        self.started.append(worker)
        return self.started[-1]

    def open(self, gate: str) -> None:
        """Let the hash of the password `gate` end."""
        self._performed.with_name(f"{self._performed.name}.{gate}").touch()

    @contextmanager
    def ended_at_last(self) -> Iterator[Workers]:
        """End what still runs at the end of the block."""
        try:
            yield self
        finally:
            for worker in self.started:
                if worker.is_alive():
                    worker.kill()
