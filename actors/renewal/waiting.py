"""Request coalescing: a caller waits for a concurrent renewal of its connection, and shares it."""

from __future__ import annotations

import threading
import time
from typing import Final

from actors.connections.errors import ConnectionBusy, ReauthorizationRequired, RenewalFailing
from actors.connections.reading import find_connection
from actors.errors import AuthError
from models.oauth.connections import TAB_CONNECTIONS, ConnectionStatus

_CHECK_SECONDS: Final = 0.1
#: A process has 64 threads for all calls to providers; most of them must stay free for renewals.
_WAITERS: Final = threading.BoundedSemaphore(16)


def wait_for_concurrent_renewal(row: TAB_CONNECTIONS, seconds: float) -> TAB_CONNECTIONS:
    """Return a connection as it is once another thread has renewed the version that `row` has.

    With 0 `seconds` it is looked at once.

    Raises:
        ConnectionBusy: The renewal takes longer, or too many threads of this process wait already.
        ConnectionUnknown: The connection was erased meanwhile.
        RenewalFailing, ReauthorizationRequired: The renewal failed.
    """
    if seconds == 0:
        return _await_outcome(row, 0)
    if not _WAITERS.acquire(blocking=False):
        raise ConnectionBusy
    try:
        return _await_outcome(row, seconds)
    finally:
        _WAITERS.release()


def _await_outcome(row: TAB_CONNECTIONS, seconds: float) -> TAB_CONNECTIONS:
    deadline = time.monotonic() + seconds
    while True:
        found = find_connection(row.id)
        if found.version > row.version:
            return found
        if found.lease_until is None:
            raise _build_failure(found)
        if time.monotonic() >= deadline:
            raise ConnectionBusy
        time.sleep(_CHECK_SECONDS)


def _build_failure(row: TAB_CONNECTIONS) -> AuthError:
    if row.status in (ConnectionStatus.REAUTHORIZATION_REQUIRED, ConnectionStatus.ENDED):
        return ReauthorizationRequired()
    return RenewalFailing(row.reason)
