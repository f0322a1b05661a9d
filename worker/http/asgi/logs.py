"""Logging of the web process: the common set-up, and access lines without query strings."""

from __future__ import annotations

import logging
import time
from typing import Final

from config import Settings
from worker.process import logs

_ACCESS_LOGGER: Final = "uvicorn.access"
_ACCEPT_ERROR: Final = "socket.accept() out of system resource"
_ACCEPT_SENTENCE: Final = (
    "No further connection can be accepted: the process may open no more files (ulimit -n)."
)
_ACCEPT_ERROR_PAUSE_SECONDS: Final = 10.0
#: The order of an access line's arguments: client, method, path with query, version, status.
_PATH_ARGUMENT: Final = 2


class RemoveQueryString(logging.Filter):
    """Cuts the path of an access line at its question mark: the callback's holds code and state."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the record, and accept it."""
        if isinstance(record.args, tuple) and len(record.args) > _PATH_ARGUMENT:
            arguments = list(record.args)
            arguments[_PATH_ARGUMENT] = str(arguments[_PATH_ARGUMENT]).partition("?")[0]
            record.args = tuple(arguments)
        return True


class LimitAcceptErrors(logging.Filter):
    """Passes one line in ten seconds of the event loop's, which come by the thousand a second.

    So often it tries to accept a connection where the process may open no more files.
    """

    def __init__(self) -> None:
        super().__init__()
        self._silent_until = 0.0

    def filter(self, record: logging.LogRecord) -> bool:
        """Reject all but the first of such records, whose traceback says nothing."""
        if not str(record.msg).startswith(_ACCEPT_ERROR):
            return True
        now = time.monotonic()
        if now < self._silent_until:
            return False
        self._silent_until = now + _ACCEPT_ERROR_PAUSE_SECONDS
        record.msg, record.args, record.exc_info = _ACCEPT_SENTENCE, (), None
        return True


def set_up_logging(settings: Settings) -> None:
    """Configure all loggers, those that uvicorn has already configured included."""
    logs.set_up_logging(settings)
    access = logging.getLogger(_ACCESS_LOGGER)
    # Without handlers and propagation, `--no-access-log` has turned it off.
    is_on = access.hasHandlers()
    for name in ("uvicorn", "uvicorn.error", _ACCESS_LOGGER):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    access.propagate = is_on
    loop_log = logging.getLogger("asyncio")
    if not any(isinstance(known, LimitAcceptErrors) for known in loop_log.filters):
        loop_log.addFilter(LimitAcceptErrors())
    if not any(isinstance(known, RemoveQueryString) for known in access.filters):
        access.addFilter(RemoveQueryString())
