"""A gate in front of a path, so that a test decides what happens while a request is under way."""

from __future__ import annotations

import threading


class Gate:
    """Where requests wait until the test lets them through."""

    def __init__(self, ended: threading.Event, times: int | None) -> None:
        """Take the event of the provider's end, at which nobody waits any longer, and how many
        requests have to wait, by default all.
        """
        self._ended = ended
        self._left = threading.Semaphore(2**31 if times is None else times)
        self._open = threading.Event()
        self._arrived = threading.Semaphore(0)

    def pass_through(self) -> None:
        """Wait until the gate is open."""
        if not self._left.acquire(blocking=False):
            return
        self._arrived.release()
        while not self._open.wait(0.02) and not self._ended.is_set():
            pass

    def await_arrival(self) -> None:
        """Wait until one more request stands at the gate."""
        assert self._arrived.acquire(timeout=60), "nobody has come to the gate"

    def open(self) -> None:
        """Let everybody through."""
        self._open.set()
