"""The scheduler process: runs the crons until it is told to stop."""

from __future__ import annotations

import logging
from typing import Final

from config import current_settings
from worker.crons import Crons
from worker.process.signals import StopSignals

_LOG_FORMAT: Final = "[%(asctime)s] [%(name)s] [%(levelname)s] %(message)s"


def run_scheduler() -> int:
    """Emit the schedule until a signal says to stop; return the exit status."""
    debug = current_settings().debug.debug
    logging.basicConfig(level=logging.DEBUG if debug else logging.INFO, format=_LOG_FORMAT)
    signals = StopSignals()
    crons = Crons(debug=debug)
    status = crons.inject_crons()
    if status == crons.success:
        signals.wait()
        crons.stop()
    return status
