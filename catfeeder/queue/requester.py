"""Requester context: the id of the API key behind a request, carried along to the worker."""

from __future__ import annotations

import re
from contextvars import ContextVar
from typing import Final

#: None for the schedule, and for an app that holds the queue key.
requester: Final[ContextVar[str | None]] = ContextVar("requester", default=None)
#: The option of a message that carries it; wire format, never rename it.
REQUESTER_OPTION: Final = "requester"
_ID: Final = re.compile("[a-z0-9-]{1,32}")


def is_requester(value: object) -> bool:
    """Return whether a value can be the id of an API key."""
    return isinstance(value, str) and _ID.fullmatch(value) is not None
