"""A process of the Procfile that can be killed, with a record of the kill."""

from __future__ import annotations

import contextlib
import time

import psutil

from tests.chaos.kills import Kill
from tests.stack.processes import ProcfileProcess


class MortalProcess(ProcfileProcess):
    """One copy of a Procfile line."""

    def kill(self) -> Kill:
        """Kill it with all that it has started."""
        members = self.members()
        at, ports = time.time(), set()
        for victim in members:
            with contextlib.suppress(psutil.NoSuchProcess):
                # Suspended, so that it opens no further connection once they are counted.
                victim.suspend()
                ports |= {connection.laddr.port for connection in victim.net_connections("inet")}
                victim.kill()
        return Kill(self.name, at, frozenset(ports))
