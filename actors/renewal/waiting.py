"""Waiting for somebody else's renewal of the same connection: not for ever, and not too many."""

from __future__ import annotations

import threading
import time
from typing import Final

from actors.connections.reading import find_connection
from actors.errors import (
    AuthError,
    ConnectionBusy,
    ReauthorizationRequired,
    RenewalFailing,
)
from models.oauth.connections import TAB_CONNECTIONS, ConnectionStatus

#: A provider that is well answers within it.
_PATIENCE_SECONDS: Final = 8.0
_LOOK_SECONDS: Final = 0.1
#: A process has 64 threads for all that asks providers; most of them must stay free for the winner.
_SEATS: Final = threading.BoundedSemaphore(16)


def await_winner(row: TAB_CONNECTIONS, *, is_patient: bool) -> TAB_CONNECTIONS:
    """Return a connection as it is once somebody else has renewed the version that `row` has.

    Who is not patient looks once.

    Raises:
        ConnectionBusy: That takes long, or too many wait already.
        ConnectionUnknown: It was erased meanwhile.
        RenewalFailing, ReauthorizationRequired: They had no luck.
    """
    if not is_patient:
        return _outcome(row, 0)
    if not _SEATS.acquire(blocking=False):
        raise ConnectionBusy
    try:
        return _outcome(row, _PATIENCE_SECONDS)
    finally:
        _SEATS.release()


def _outcome(row: TAB_CONNECTIONS, seconds: float) -> TAB_CONNECTIONS:
    deadline = time.monotonic() + seconds
    while True:
        found = find_connection(row.id)
        if found.version > row.version:
            return found
        if found.lease_until is None:
            raise _failure(found)
        if time.monotonic() >= deadline:
            raise ConnectionBusy
        time.sleep(_LOOK_SECONDS)


def _failure(row: TAB_CONNECTIONS) -> AuthError:
    if row.status == ConnectionStatus.REAUTHORIZATION_REQUIRED:
        return ReauthorizationRequired()
    return RenewalFailing(row.reason)
