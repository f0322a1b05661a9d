"""Claims of a sweep: leases of a provider's due connections, many at a time."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from models.db.database import database, transaction
from models.db.statements import supports_bulk_writes
from models.oauth.connections import TAB_CONNECTIONS
from models.renewal.leases import Lease, is_unleased

_T: Final = TAB_CONNECTIONS


def claim_due(provider: str, now: datetime, lease_until: datetime, limit: int) -> list[Lease]:
    """Lease up to `limit` of a provider's due connections, the longest due first.

    It takes two statements, or on PostgreSQL one, however many connections there are.
    """
    if supports_bulk_writes():
        return _claim_due_in_bulk(provider, now, lease_until, limit)
    with transaction():
        due = (
            _T.select(_T.id, _T.version)
            .where(_T.provider == provider, _T.renew_at <= now, is_unleased(now))
            .order_by(_T.renew_at)
            .limit(limit)
        )
        if database.for_update:
            # Concurrent sweeps share the work. On SQLite they wait for one another instead, so no
            # row changes between the two statements there either.
            due = due.for_update(skip_locked=True)
        found = list(due)
        if found:
            ids = [row.id for row in found]
            _T.update(lease_until=lease_until).where(_T.id.in_(ids)).execute()
    return [Lease(row.id, row.version, lease_until) for row in found]


#: Rows are locked and changed at their places, found once: by their ids each would be looked up in
#: another index, whose pages are the more the larger the table. One that another transaction has
#: moved meanwhile is left to the next sweep.
_CLAIM: Final = """
UPDATE connections SET lease_until = %s WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM connections
    WHERE provider = %s AND renew_at <= %s AND (lease_until IS NULL OR lease_until <= %s)
    ORDER BY renew_at LIMIT %s FOR UPDATE SKIP LOCKED
)) RETURNING renew_at, id, version
"""


def _claim_due_in_bulk(
    provider: str, now: datetime, lease_until: datetime, limit: int
) -> list[Lease]:
    until, at = _T.lease_until.db_value(lease_until), _T.renew_at.db_value(now)
    claimed = database.execute_sql(_CLAIM, (until, provider, at, at, limit)).fetchall()
    return [Lease(name, version, lease_until) for _, name, version in sorted(claimed)]


def list_due_providers(now: datetime) -> list[str]:
    """Return the providers that have a due connection; each costs two look-ups in an index."""
    names: list[str] = []
    name = ""
    while (found := _find_next_provider(name)) is not None:
        name = found
        if _T.select(_T.id).where(_T.provider == name, _T.renew_at <= now).limit(1).exists():
            names.append(name)
    return names


def _find_next_provider(name: str) -> str | None:
    following = _T.select(_T.provider).where(_T.provider > name).order_by(_T.provider)
    row = following.limit(1).first()
    return None if row is None else str(row.provider)
