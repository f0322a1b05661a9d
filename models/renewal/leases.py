"""Lease: the right of one process to renew a connection for a while, and the writes it permits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import peewee

from catfeeder.sealing import Secret
from models.db.database import database
from models.db.fields import UTCDateTimeField
from models.db.statements import find_by_keys
from models.oauth.connections import TAB_CONNECTIONS, ConnectionStatus
from models.oauth.derived_tokens import TAB_DERIVED_TOKENS

#: Older versions of SQLite refuse a statement with more than a thousand values.
MAX_ROWS_PER_STATEMENT: Final = 900
_T = TAB_CONNECTIONS


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to renew one version of one connection.

    Its end, `until`, is also its fence: no two leases of a connection end at the same moment.
    """

    connection_id: str
    version: int
    until: datetime


# -- Claiming


def claim(connection_id: str, now: datetime, lease_until: datetime) -> Lease | None:
    """Lease one connection, due or not; None if another lease is in force or the row is gone."""
    row = _T.find(connection_id)
    if row is None:
        return None
    is_same = (_T.id == row.id) & (_T.version == row.version)
    changed = _T.update(lease_until=lease_until).where(is_same, is_unleased(now)).execute()
    return Lease(row.id, row.version, lease_until) if changed else None


def expedite_failing(provider: str, now: datetime) -> None:
    """Make a provider's connections due now that wait after a failure; call it in a transaction.

    Rows that another transaction has locked keep their time.
    """
    is_failing = _T.status == ConnectionStatus.RENEWAL_FAILING
    waiting = _T.select(_T.id).where(_T.provider == provider, _T.renew_at > now, is_failing)
    if database.for_update:
        # A transaction that locks the same rows in another order would deadlock with this one.
        waiting = waiting.for_update(skip_locked=True)
    ids = [row.id for row in waiting]
    for start in range(0, len(ids), MAX_ROWS_PER_STATEMENT):
        some = ids[start : start + MAX_ROWS_PER_STATEMENT]
        _T.update(renew_at=now).where(_T.id.in_(some)).execute()


def expedite(ids: Sequence[str], now: datetime) -> list[TAB_CONNECTIONS]:
    """Make those of some connections due now that are renewed by plan, and return them.

    Call it in a transaction. Rows that another transaction has locked keep their time, and so do
    those under a lease.
    """
    is_planned = _T.status.in_((ConnectionStatus.ACTIVE, ConnectionStatus.RENEWAL_FAILING))
    later = _T.select().where(_T.id.in_(ids), _T.renew_at > now, is_planned, is_unleased(now))
    if database.for_update:
        later = later.for_update(skip_locked=True)
    rows = _T.keep_authentic(later)
    if rows:
        _T.update(renew_at=now).where(_T.id.in_([row.id for row in rows])).execute()
    return rows


def has_renewed_since(provider: str, since: datetime) -> bool:
    """Return whether a connection of a provider was renewed since a time, and did not fail after.

    It reads an index as far as the first such connection; of a provider that fails, all of it.
    """
    is_renewed = (_T.status == ConnectionStatus.ACTIVE) & (_T.version > 1)
    found = _T.select(_T.id).where(_T.provider == provider, _T.updated_at >= since, is_renewed)
    return bool(found.limit(1).exists())


def is_unleased(now: datetime) -> peewee.Expression:
    """Return the condition that no lease of a connection is in force."""
    return _T.lease_until.is_null() | (_T.lease_until <= now)


# -- Holding


def extend(lease: Lease, lease_until: datetime) -> Lease | None:
    """Prolong a lease, once; None if it was prolonged before or another lease took its place."""
    # A message delivered twice brings the same lease twice: the end must change for the second.
    until = max(lease_until, lease.until + timedelta(milliseconds=1))
    changed = _T.update(lease_until=until).where(_holds(lease)).execute()
    return Lease(lease.connection_id, lease.version, until) if changed else None


def find_leased(lease: Lease) -> TAB_CONNECTIONS | None:
    """Return the connection of a lease; None if it was renewed or erased since."""
    return _T.authentic(_T.get_or_none(_is_unchanged(lease)))


def find_all_leased(leases: Sequence[Lease]) -> dict[str, TAB_CONNECTIONS]:
    """Return the connections of leases by id, without those renewed or erased since."""
    versions = {lease.connection_id: lease.version for lease in leases}
    found = [row for row in find_by_keys(_T, list(versions)) if row.version == versions[row.id]]
    return {row.id: row for row in _T.keep_authentic(found)}


# -- Ending without a grant; each write returns False if the lease was lost


def postpone_renewal(
    lease: Lease, reason: str, renew_at: datetime, now: datetime, *, is_refusal: bool = False
) -> bool:
    """Record a failure that may pass, when to try again, and since when the provider refuses."""
    is_failing = _T.status == ConnectionStatus.RENEWAL_FAILING
    known = peewee.Case(None, ((is_failing, _T.refused_since),), None)
    since = peewee.fn.COALESCE(known, UTCDateTimeField().db_value(now)) if is_refusal else known
    return _end(
        lease,
        status=ConnectionStatus.RENEWAL_FAILING,
        reason=reason,
        failures=_T.failures + 1,
        refused_since=since,
        renew_at=renew_at,
        updated_at=now,
    )


def keep_refresh_token(lease: Lease, refresh_token: Secret) -> bool:
    """Store the refresh token that replaces the one in hand, and leave the access token."""
    sealed = _T.refresh_token.seal(lease.connection_id, refresh_token)
    return bool(_T.update(refresh_token=sealed).where(_holds(lease)).execute())


def require_reauthorization(lease: Lease, reason: str, now: datetime) -> bool:
    """Record that only a new consent of the user helps; the connection is never due again.

    Without the lease nothing is recorded: its present holder may have renewed the connection.
    """
    return _end(
        lease,
        status=ConnectionStatus.REAUTHORIZATION_REQUIRED,
        reason=reason,
        renew_at=None,
        updated_at=now,
    )


def end_connection(lease: Lease, now: datetime) -> bool:
    """Record that a token without means to renew it has run out; it is never due again."""
    return _end(
        lease,
        status=ConnectionStatus.ENDED,
        reason=None,
        failures=0,
        renew_at=None,
        updated_at=now,
    )


def release(lease: Lease, **changes: Any) -> bool:
    """End a lease as if no process had taken it, but for changes of when it falls due."""
    return _end(lease, **changes)


def erase_leased(lease: Lease) -> bool:
    """Delete a connection and its tokens; a sign-in or another lease since then keeps it.

    Call it in a transaction.
    """
    is_erased = bool(_T.delete().where(_holds(lease)).execute())
    if is_erased:
        TAB_DERIVED_TOKENS.erase_of(lease.connection_id)
    return is_erased


def _end(lease: Lease, **changes: Any) -> bool:
    return bool(_T.update(lease_until=None, **changes).where(_holds(lease)).execute())


def _is_unchanged(lease: Lease) -> peewee.Expression:
    return (_T.id == lease.connection_id) & (_T.version == lease.version)


def _holds(lease: Lease) -> peewee.Expression:
    return _is_unchanged(lease) & (_T.lease_until == lease.until)
