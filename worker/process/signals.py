"""Hearing the signals that say to stop, whenever they come."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType
from typing import Final

_STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class StopSignals:
    """Takes note of the first signal, and ends the process at the second one.

    Python looks for signals between two steps of its own: a thread that goes to sleep on an event
    just then sleeps through what has come. So each signal is also written to a pipe.
    """

    def __init__(self) -> None:
        """Listen from now on; only the main thread can."""
        self._is_told = False
        self._reader, writer = os.pipe()
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer)
        for number in _STOP_SIGNALS:
            signal.signal(number, self._react)

    def wait(self) -> None:
        """Return once a signal has come."""
        while not self._is_told:
            os.read(self._reader, 1)

    def _react(self, _number: int, _frame: FrameType | None) -> None:
        if self._is_told:
            sys.exit(1)
        self._is_told = True
