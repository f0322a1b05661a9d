"""Worker processes that tests may kill and freeze, and that perform what the message says."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import Final

from config import ROOT
from tests.stack.processes import ProcfileProcess

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
timing = HeartbeatTiming(interval_seconds=0.3, timeout_seconds=2.0, gap_seconds=1.2)
slots = int(threads)
sys.exit(
    perform_messages(
        ["passwords"], slots, slots, float(grace), schedule=False, heartbeat_timing=timing
    )
)
"""


class WorkerProcess(ProcfileProcess):
    """A worker of the passwords, in a process of its own."""

    def performed(self) -> list[str]:
        """Return the passwords that any worker of the test has begun to hash."""
        return Path(self._environment["PERFORMED"]).read_text().split("\n")[:-1]

    def is_ready(self) -> bool:
        """Return whether it takes messages."""
        return "Ready for the messages" in self.output

    def kill(self) -> None:
        """End it as a lack of memory would."""
        self.process.kill()
        self.process.wait()


class Workers:
    """The workers of a test; a second machine is another VAR_DIR."""

    def __init__(self, environment: dict[str, str], directory: Path) -> None:
        self._environment = {
            **os.environ,
            **environment,
            "PYTHONPATH": str(ROOT),
            "PERFORMED": str(directory / "performed"),
        }
        self._directory = directory
        self._performed = directory / "performed"
        self._performed.touch()
        self.started: list[WorkerProcess] = []

    def start(
        self, *, threads: int = 1, machine: str = "here", grace: int = 5, release: str = "older"
    ) -> WorkerProcess:
        """Start a worker."""
        environment = {**self._environment, "VAR_DIR": str(self._directory / machine)}
        arguments = [sys.executable, "-c", _PROGRAM, str(threads), str(grace), release]
        name, command = f"worker-{len(self.started)}", shlex.join(arguments)
        self.started.append(WorkerProcess(name, command, environment, self._directory))
        return self.started[-1]

    def open(self, gate: str) -> None:
        """Let the hash of the password `gate` end."""
        self._performed.with_name(f"{self._performed.name}.{gate}").touch()
