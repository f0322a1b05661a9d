"""The service's own Valkey, killed, and started again on its append-only file."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from tests.chaos.kills import Kill
from tests.waiting import wait_until
from worker.supervisor.valkey.embedded import EmbeddedValkey


class Valkey:
    """A Valkey as `make run` starts it."""

    name = "valkey"

    def __init__(self, directory: Path) -> None:
        """`directory` is for its data and its socket, so its path must be short."""
        self._server = EmbeddedValkey(directory)
        self.url = self._server.url

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        self._server.start()

    def kill(self) -> Kill:
        """Kill the server."""
        pid = self._server.pid
        assert pid is not None, "Valkey has ended by itself"
        at = time.time()
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: self._server.pid is None)
        return Kill(self.name, at)

    def end(self) -> None:
        """End the server, if it runs."""
        self._server.stop()
