"""Gate: holds the requests of a path until the test lets their answers pass."""

from __future__ import annotations

import threading


class Gate:
    """Holds requests until it is opened; `times` is how many, by default all.

    `ended` is set when the provider stops, which opens every gate.
    """

    def __init__(self, ended: threading.Event, times: int | None) -> None:
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
        """Wait until one more request is held."""
        assert self._arrived.acquire(timeout=60), "no request has arrived"

    def open(self) -> None:
        """Let all requests pass."""
        self._open.set()
