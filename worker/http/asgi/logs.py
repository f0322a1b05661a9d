"""What the shim's process logs, without query strings: the callback's holds a code and a state."""

from __future__ import annotations

import logging
from typing import Final

_ACCESS_LOGGER: Final = "uvicorn.access"
#: uvicorn's own order of a line's arguments: client, method, path with query, version, status.
_PATH_ARGUMENT: Final = 2
#: Other packages log what they are given; at level DEBUG that would be more than we promise.
_OUR_LOGGERS: Final = ("actors", "catfeeder", "models", "worker")


class RemoveQueryString(logging.Filter):
    """Cuts the path of an access line at its question mark."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the record, and let it pass."""
        if isinstance(record.args, tuple) and len(record.args) > _PATH_ARGUMENT:
            arguments = list(record.args)
            arguments[_PATH_ARGUMENT] = str(arguments[_PATH_ARGUMENT]).partition("?")[0]
            record.args = tuple(arguments)
        return True


def set_up_logging(*, debug: bool) -> None:
    """Set our level, and hook into uvicorn's logger, which exists by the time we are loaded."""
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s")
    for name in _OUR_LOGGERS:
        logging.getLogger(name).setLevel(logging.DEBUG if debug else logging.INFO)
    access = logging.getLogger(_ACCESS_LOGGER)
    if not any(isinstance(known, RemoveQueryString) for known in access.filters):
        access.addFilter(RemoveQueryString())
