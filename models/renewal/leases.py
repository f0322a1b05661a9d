"""Who may renew which connection: leases, and the writes that only their holder can make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import peewee

from models.oauth.connections import TAB_CONNECTIONS, ConnectionStatus

_T = TAB_CONNECTIONS


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to renew one connection: for `version` alone, and until `until`, which tells one
    lease from the next.
    """

    connection_id: str
    version: int
    until: datetime


def claim(connection_id: str, now: datetime, lease_until: datetime) -> Lease | None:
    """Lease one connection, due or not; None when somebody else renews it or it is gone."""
    row = _T.with_id(connection_id)
    if row is None or not _take(row.id, row.version, now, lease_until):
        return None
    return Lease(row.id, row.version, lease_until)


def extend(lease: Lease, lease_until: datetime) -> Lease | None:
    """Prolong a lease, once; None when it was prolonged before or somebody else holds it by now."""
    # A message delivered twice brings the same lease twice: its end must change for the second.
    until = max(lease_until, lease.until + timedelta(milliseconds=1))
    changed = _T.update(lease_until=until).where(_holds(lease)).execute()
    return Lease(lease.connection_id, lease.version, until) if changed else None


def _take(connection_id: str, version: int, now: datetime, lease_until: datetime) -> bool:
    return bool(
        _T.update(lease_until=lease_until)
        .where(_T.id == connection_id, _T.version == version, is_free(now))
        .execute()
    )


def leased(lease: Lease) -> TAB_CONNECTIONS | None:
    """Return the connection of a lease; None when it was renewed or erased since."""
    row: TAB_CONNECTIONS | None = _T.get_or_none(_is_unchanged(lease))
    return row


def all_leased(leases: Sequence[Lease]) -> dict[str, TAB_CONNECTIONS]:
    """Return the connections of leases by their ids, without those renewed or erased since."""
    versions = {lease.connection_id: lease.version for lease in leases}
    found = _T.select().where(_T.id.in_(list(versions)))
    return {row.id: row for row in found if row.version == versions[row.id]}


def _is_unchanged(lease: Lease) -> peewee.Expression:
    return (_T.id == lease.connection_id) & (_T.version == lease.version)


def _holds(lease: Lease) -> peewee.Expression:
    return _is_unchanged(lease) & (_T.lease_until == lease.until)


def postpone_renewal(lease: Lease, reason: str, renew_at: datetime, now: datetime) -> bool:
    """Record a failure that may pass, and when to try again; false when the lease was lost."""
    return _write(
        _holds(lease),
        status=ConnectionStatus.RENEWAL_FAILING,
        reason=reason,
        failures=_T.failures + 1,
        renew_at=renew_at,
        updated_at=now,
    )


def release(lease: Lease) -> bool:
    """Give a lease back as if it had not been taken; false when it was lost."""
    return _write(_holds(lease))


def require_reauthorization(lease: Lease, reason: str, now: datetime) -> bool:
    """Record that only the user can bring this connection back; it is never due again.

    False when the lease was lost: who holds it now may have had more luck.
    """
    return _write(
        _holds(lease),
        status=ConnectionStatus.REAUTHORIZATION_REQUIRED,
        reason=reason,
        renew_at=None,
        updated_at=now,
    )


def _write(condition: peewee.Expression, **changes: Any) -> bool:
    return bool(_T.update(lease_until=None, **changes).where(condition).execute())


def is_free(now: datetime) -> peewee.Expression:
    """Select the connections that nobody renews at the moment."""
    return _T.lease_until.is_null() | (_T.lease_until <= now)
