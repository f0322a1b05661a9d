"""How long a message of renewals keeps a thread: while nobody else waits, and until a stop."""

from __future__ import annotations

import threading
import time
from typing import Final, cast

import dramatiq

from catfeeder.broker import SealedBroker
from catfeeder.errors import QueueUnreachable
from catfeeder.messages import RENEW_CONNECTIONS

#: As long as one call may take. A provider that answers at once is done with its batch long before.
_SHIFT_SECONDS: Final = 15.0
#: Set while this process stops.
_STOPPING: Final = threading.Event()


def end_shifts() -> None:
    """Let each message end with the connection in hand, since the process is about to stop.

    It is given less time than a batch may take, and a renewal that is cut off may cost a token.
    """
    _STOPPING.set()


def begin_shifts() -> None:
    """Let messages take their time, since a worker begins."""
    _STOPPING.clear()


class Shift:
    """The time of one message with its thread, which begins anew as long as nobody else waits.

    Otherwise a provider that takes its time would keep every thread for a batch each, the queue
    full, and all other providers' renewals waiting behind it.
    """

    def __init__(self) -> None:
        """Begin."""
        self._ends_at = time.monotonic() + _SHIFT_SECONDS

    def is_over(self) -> bool:
        """Tell whether the thread is wanted for another message, or not at all any more."""
        if _STOPPING.is_set():
            return True
        now = time.monotonic()
        if now < self._ends_at:
            return False
        self._ends_at = now + _SHIFT_SECONDS
        return _is_anybody_waiting()


def _is_anybody_waiting() -> bool:
    try:
        return cast("SealedBroker", dramatiq.get_broker()).depth(RENEW_CONNECTIONS.queue) > 0
    except QueueUnreachable:
        return False  # Nobody could come before it is back.
