"""Log filter: drops what HTTP libraries would log of our own requests, and of nothing else.

At level DEBUG requests_oauthlib prints codes, tokens and client secrets. urllib3's warnings quote
the URL and the provider's headers. The levels of these loggers belong to the host process.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

#: The loggers that a token request or a kept-alive connection passes.
_NAMES: Final = (
    "oauthlib",
    "requests_oauthlib.oauth2_session",
    *(f"urllib3.{name}" for name in ("connection", "connectionpool", "poolmanager", "response")),
    "urllib3.util.retry",
)

_is_ours: Final[ContextVar[bool]] = ContextVar("is_ours", default=False)


def _keep(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.ERROR or not _is_ours.get()


# A filter that is added twice is there once, and lets every record of the host's own calls pass.
for _name in _NAMES:
    logging.getLogger(_name).addFilter(_keep)


@contextmanager
def silence_http_logs() -> Iterator[None]:
    """Drop what HTTP libraries log below ERROR in this block and thread."""
    before = _is_ours.set(True)
    try:
        yield
    finally:
        _is_ours.reset(before)
