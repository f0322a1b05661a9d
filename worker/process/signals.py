"""Stop signals by a self-pipe (`signal.set_wakeup_fd`), so that none is lost between two checks."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType
from typing import Final

_STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class StopSignals:
    """Records the first stop signal, and ends the process at the second one.

    Python runs signal handlers between two instructions: a thread that begins to wait on an event
    just then would miss the signal. The pipe keeps it until it is read.
    """

    def __init__(self) -> None:
        """Install the handlers; only the main thread may do so."""
        self._is_stopping = False
        self._reader, writer = os.pipe()
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer)
        for number in _STOP_SIGNALS:
            signal.signal(number, self._react)

    def wait(self) -> None:
        """Return once a signal has come."""
        while not self._is_stopping:
            os.read(self._reader, 1)

    def _react(self, _number: int, _frame: FrameType | None) -> None:
        if self._is_stopping:
            sys.exit(1)
        self._is_stopping = True
