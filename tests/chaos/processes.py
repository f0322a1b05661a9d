"""A process of the Procfile that can be killed in more than one way, and started again."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Final

import psutil

from tests.chaos.kills import Kill
from worker.supervisor.plan import PlannedProcess

_DRAIN_SECONDS: Final = 60


class ServiceProcess:
    """One copy of a Procfile line; all that its runs say goes to one file."""

    def __init__(self, planned: PlannedProcess, variables: dict[str, str], directory: Path) -> None:
        """Take the plan, the variables that an operator sets, and where to run."""
        self.name = planned.name
        # After the provider, which must not seem dead where cores are short.
        self._command = ["/bin/sh", "-c", f"exec nice -n 5 {planned.command}"]
        self._environment = {**planned.environment, **variables}
        self._directory = directory
        self.log = directory / f"{self.name}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def said(self) -> str:
        """All that its runs have said."""
        return self.log.read_text(errors="replace")

    @property
    def has_ended(self) -> bool:
        """Whether the leader of its last run is gone."""
        return self._process is not None and self._process.poll() is not None

    def start(self) -> None:
        """Start it in a session of its own, after the end of its last run."""
        self.end()
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

    def kill(self) -> Kill:
        """Kill it with all that it has started."""
        assert self._process is not None
        members = self._members(self._process.pid)
        at, ports = time.time(), set()
        for victim in members:
            with contextlib.suppress(psutil.NoSuchProcess):
                # Held still, so that it opens no further connection once they are counted.
                victim.suspend()
                ports |= {connection.laddr.port for connection in victim.net_connections("inet")}
                victim.kill()
        return Kill(self.name, at, frozenset(ports))

    def stop(self) -> None:
        """Stop it with a signal, and wait until it has finished its jobs."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(_DRAIN_SECONDS)

    def end(self) -> None:
        """End at once whatever is left of its last run."""
        if self._process is None:
            return
        members = self._members(self._process.pid)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        psutil.wait_procs(members, timeout=_DRAIN_SECONDS)

    def _members(self, session: int) -> list[psutil.Process]:
        """Return the processes of a session, the leader first where it still lives."""
        members = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, ProcessLookupError):
                if os.getsid(process.pid) == session:
                    members.append(process)
        return sorted(members, key=lambda process: process.pid != session)
