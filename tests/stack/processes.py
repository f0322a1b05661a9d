"""A process of the service, such as a line of its Procfile, which tests start, stop and end."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import psutil

_DRAIN_SECONDS: Final = 60


class ProcfileProcess:
    """A command in a session of its own; the output of all its runs goes to one file."""

    def __init__(
        self,
        name: str,
        command: str,
        environment: Mapping[str, str],
        directory: Path,
        prefix: Sequence[str] = (),
    ) -> None:
        """Start `command`, run by a shell behind `prefix`."""
        self.name = name
        self.log = directory / f"{name}.log"
        self._command = [*prefix, "/bin/sh", "-c", f"exec {command}"]
        self._environment = dict(environment)
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None
        self._is_stopping = False
        self.start()

    @property
    def output(self) -> str:
        """The output of all its runs."""
        return self.log.read_text(errors="replace")

    @property
    def has_ended(self) -> bool:
        """Whether the leader of its last run has ended."""
        return self._process is not None and self._process.poll() is not None

    def start(self) -> None:
        """Start it, after the end of its last run."""
        self.end()
        self._is_stopping = False
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=self._directory,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def terminate(self) -> None:
        """Request it to finish its jobs and end; a second request would cut them off."""
        if not self._is_stopping:
            self.process.terminate()
            self._is_stopping = True

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The leader of its last run."""
        assert self._process is not None
        return self._process

    def stop(self) -> int:
        """Stop it as a process manager does, after its jobs; return the exit status."""
        self.terminate()
        return self.process.wait(_DRAIN_SECONDS)

    def end(self) -> None:
        """End at once whatever is left of its last run."""
        if self._process is None:
            return
        members = self.members()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        psutil.wait_procs(members, timeout=_DRAIN_SECONDS)

    def members(self) -> list[psutil.Process]:
        """Return the processes of its session, the leader first where it still runs."""
        session = self.process.pid
        members = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, ProcessLookupError):
                if os.getsid(process.pid) == session:
                    members.append(process)
        return sorted(members, key=lambda process: process.pid != session)
