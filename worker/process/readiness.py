"""Readiness: a process reports to its supervisor, by a pipe, that it does its work from now on."""

from __future__ import annotations

import contextlib
import os
from typing import Final

#: The descriptor to write to, which the supervisor has opened for this process.
READY_VARIABLE: Final = "CATFEEDER_READY_FD"


def report_ready() -> None:
    """Report once that this process is ready; without a supervisor, do nothing."""
    text = os.environ.pop(READY_VARIABLE, "")
    if text.isascii() and text.isdecimal():
        # The supervisor may have ended, or have been of another release.
        with contextlib.suppress(OSError):
            os.write(int(text), b"\n")
            os.close(int(text))
