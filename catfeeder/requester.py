"""Who asked for what is done now: the id of an API key, carried from the request to the worker."""

from __future__ import annotations

import re
from contextvars import ContextVar
from typing import Final

#: None where nobody did: the schedule, or an app that holds the queue key.
requester: Final[ContextVar[str | None]] = ContextVar("requester", default=None)
#: The option of a message that carries it; wire format, never rename it.
REQUESTER_OPTION: Final = "requester"
_ID: Final = re.compile("[a-z0-9-]{1,32}")


def is_requester(value: object) -> bool:
    """Tell whether a value can be the id of an API key."""
    return isinstance(value, str) and _ID.fullmatch(value) is not None
