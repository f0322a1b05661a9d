"""Batches of leases: how many connections one message carries, and its time slice of a thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import cast

import dramatiq

from actors.stopping import is_stop_requested
from catfeeder.errors import QueueUnreachable
from catfeeder.messages import RENEW_CONNECTIONS
from catfeeder.queue.broker import SealedBroker
from config import current_settings
from models.renewal.leases import Lease

#: Sends one batch of leases to the workers.
Emit = Callable[[list[Lease]], None]


def emit_in_batches(leases: Sequence[Lease], emit: Emit, minimum_messages: int) -> None:
    """Emit leases in batches of at most `renewal_batch`.

    However few they are, they are spread over `minimum_messages` messages: one thread works a
    message off, and a provider may need its whole time for each connection in it.
    """
    size = -(-len(leases) // minimum_messages)
    size = min(max(size, 1), current_settings().oauth.renewal_batch)
    for start in range(0, len(leases), size):
        emit(list(leases[start : start + size]))


class TimeSlice:
    """A message's time with its thread, which starts anew as long as no other message waits.

    Without it a slow provider would keep every thread for a whole batch each, the queue full, and
    the renewals of all other providers waiting behind it.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._ends_at = time.monotonic() + seconds

    def is_over(self) -> bool:
        """Return whether the thread is needed for another message, or the process stops."""
        if is_stop_requested():
            return True
        now = time.monotonic()
        if now < self._ends_at:
            return False
        self._ends_at = now + self._seconds
        return _is_message_waiting()


def _is_message_waiting() -> bool:
    try:
        return cast("SealedBroker", dramatiq.get_broker()).depth(RENEW_CONNECTIONS.queue) > 0
    except QueueUnreachable:
        return False  # No message arrives before the broker is back.
