"""End of a token without means to renew it: the state `ended`, in which nothing is wrong."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from actors.connections.errors import ReauthorizationRequired
from actors.errors import AuthError
from actors.events.audit import record
from actors.events.kinds import EventKind
from models.db.database import transaction
from models.oauth.connections import TAB_CONNECTIONS, ConnectionStatus
from models.renewal.leases import Lease, end_connection, release

#: The states in which a connection yields no other token without its user.
DEAD_STATUSES: Final = (ConnectionStatus.REAUTHORIZATION_REQUIRED, ConnectionStatus.REVOKED)


def record_missing_means(
    lease: Lease, row: TAB_CONNECTIONS, error: AuthError, now: datetime
) -> AuthError | None:
    """Record that a connection cannot be renewed, which changes it only if its token has run out.

    While the token works the connection stays as it is, and falls due when the token runs out.

    Returns:
        The error to raise; None where the lease was lost to another renewal.
    """
    with transaction():
        if not _write(lease, row, now):
            return None
    return ReauthorizationRequired() if row.status in DEAD_STATUSES else error


def _write(lease: Lease, row: TAB_CONNECTIONS, now: datetime) -> bool:
    if row.status in (*DEAD_STATUSES, ConnectionStatus.ENDED):
        return release(lease)
    if row.expires_at is None or row.expires_at > now:
        return release(lease, renew_at=row.expires_at)
    is_held = end_connection(lease, now)
    if is_held:
        record(EventKind.ENDED, now=now, connection=row)
    return is_held
