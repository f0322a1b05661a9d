"""Processes that perform, as tests start them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from config import ROOT

OURS = ("worker", "perform", "--prefetch", "2", "--grace", "20")


class Performer:
    """A process that performs, and what it has printed."""

    def __init__(
        self, log: Path, environment: dict[str, str], command: tuple[str, ...], queues: list[str]
    ) -> None:
        self._log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *command, "--threads", "2", "--queues", *queues],
                cwd=ROOT,
                env={**os.environ, **environment, "dramatiq_worker_timeout": "50"},
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def printed(self) -> str:
        return self._log.read_text()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)
