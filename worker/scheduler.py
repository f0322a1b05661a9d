"""The scheduler process: runs the crons until it is told to stop."""

from __future__ import annotations

import logging
import signal
import threading
from typing import Final

from config import current_settings
from worker.crons import Crons

_LOG_FORMAT: Final = "[%(asctime)s] [%(name)s] [%(levelname)s] %(message)s"


def run_scheduler() -> int:
    """Emit the schedule until SIGTERM or SIGINT; return the exit status."""
    debug = current_settings().debug.debug
    logging.basicConfig(level=logging.DEBUG if debug else logging.INFO, format=_LOG_FORMAT)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stopping.set())
    crons = Crons(debug=debug)
    status = crons.inject_crons()
    if status == crons.success:
        stopping.wait()
        crons.stop()
    return status
