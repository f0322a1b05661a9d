"""Claims of a sweep: leases of a provider's due connections, many at a time."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Final

import peewee

from models.db.database import database, light_transaction, transaction
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
    if isinstance(database.obj, peewee.SqliteDatabase):
        return _claim_due_on_sqlite(provider, now, lease_until, limit)
    with transaction():
        due = (
            _T.select(_T.id, _T.version)
            .where(_T.provider == provider, _T.renew_at <= now, is_unleased(now))
            .order_by(_T.renew_at)
            .limit(limit)
            # Concurrent sweeps share the work.
            .for_update(skip_locked=True)
        )
        found = list(due.tuples().iterator())
        if found:
            _T.update(lease_until=lease_until).where(_T.id.in_([row[0] for row in found])).execute()
    return [Lease(name, version, lease_until) for name, version in found]


#: Rows are changed in the order of their places, which are found without an index.
_FIND: Final = """SELECT rowid, id, version FROM connections
WHERE provider = ? AND renew_at <= ? AND (lease_until IS NULL OR lease_until <= ?)
ORDER BY renew_at LIMIT ?"""
_LEASE: Final = (
    """UPDATE connections SET lease_until = ? WHERE rowid IN (SELECT value FROM json_each(?))"""
)


def _claim_due_on_sqlite(
    provider: str, now: datetime, lease_until: datetime, limit: int
) -> list[Lease]:
    until, at = _T.lease_until.db_value(lease_until), _T.renew_at.db_value(now)
    # Leases that a loss of power undoes are claimed anew, and what renews under them is not begun:
    # its first write, which is durable, would have made them so. Concurrent sweeps wait.
    with light_transaction():
        found = database.execute_sql(_FIND, (provider, at, at, limit)).fetchall()
        if found:
            database.execute_sql(_LEASE, (until, json.dumps([row[0] for row in found])))
    return [Lease(name, version, lease_until) for _, name, version in found]


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
    """Return the providers that have a due connection; each costs one or two looks at an index."""
    names: list[str] = []
    name = ""
    while (found := _find_next_provider(name)) is not None:
        name, first = found
        if first is not None and first <= now:
            names.append(name)
    return names


def _find_next_provider(name: str) -> tuple[str, datetime | None] | None:
    """Return the provider that follows by its name, and when its first connection falls due."""
    if supports_bulk_writes():
        found = database.execute_sql(_NEXT, (name, _LAST)).fetchone()
        return found and (found[0], _T.renew_at.python_value(found[1]))
    following = _T.select(_T.provider).where(_T.provider > name).order_by(_T.provider)
    row = following.limit(1).first()
    return None if row is None else (row.provider, _find_first(row.provider))


#: By the one index that the claim reads too. A connection that was renewed has left a dead entry
#: at its start, and the first statement that meets it looks its row up, and marks the entry.
_NEXT: Final = """
SELECT provider, renew_at FROM connections WHERE (provider, renew_at) > (%s, %s)
ORDER BY provider, renew_at LIMIT 1
"""
#: No connection falls due then.
_LAST: Final = 2**63 - 1


def _find_first(provider: str) -> datetime | None:
    first = _T.select(peewee.fn.MIN(_T.renew_at)).where(_T.provider == provider).tuples()
    found: datetime | None = first.scalar()
    return found
