"""Who asked for what is done now: the id of an API key, carried from the request to the worker."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Final

#: None where nobody did: the schedule, or an app that holds the queue key.
requester: Final[ContextVar[str | None]] = ContextVar("requester", default=None)
