"""Stop signals by a self-pipe (`signal.set_wakeup_fd`), so that none is lost between two checks."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType
from typing import Final

_STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


def list_stop_signals() -> list[signal.Signals]:
    """Return the signals that request a stop.

    A closed terminal (SIGHUP) is one, so that no process is left behind; under `nohup`, which
    ignores it, it is none (POSIX: what was ignored at the start stays so).
    """
    is_hangup_ignored = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    return [*_STOP_SIGNALS, *([] if is_hangup_ignored else [signal.SIGHUP])]


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
        for number in list_stop_signals():
            signal.signal(number, self._react)

    def wait(self) -> None:
        """Return once a signal has come."""
        while not self._is_stopping:
            os.read(self._reader, 1)

    def _react(self, _number: int, _frame: FrameType | None) -> None:
        if self._is_stopping:
            sys.exit(1)
        self._is_stopping = True
