"""Logging of the web process: the common set-up, and access lines without query strings."""

from __future__ import annotations

import logging
from typing import Final

from config import Settings
from worker.process import logs

_ACCESS_LOGGER: Final = "uvicorn.access"
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
    if not any(isinstance(known, RemoveQueryString) for known in access.filters):
        access.addFilter(RemoveQueryString())
