"""Claiming what is due, provider by provider, at a cost that what is not due adds nothing to."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from models.db.database import database, transaction
from models.oauth.connections import TAB_CONNECTIONS, ConnectionStatus
from models.renewal.leases import Lease, is_free

#: In one statement: SQLite takes no more than a thousand values in older versions.
MOST_AT_ONCE: Final = 900
_T = TAB_CONNECTIONS


def providers_due(now: datetime) -> list[str]:
    """Return the providers of which something is due; each takes two looks into an index."""
    names: list[str] = []
    name = ""
    while (found := _next_provider(name)) is not None:
        name = found
        if _T.select(_T.id).where(_T.provider == name, _T.renew_at <= now).limit(1).exists():
            names.append(name)
    return names


def _next_provider(name: str) -> str | None:
    following = _T.select(_T.provider).where(_T.provider > name).order_by(_T.provider)
    row = following.limit(1).first()
    return None if row is None else str(row.provider)


def claim_due(provider: str, now: datetime, lease_until: datetime, limit: int) -> list[Lease]:
    """Lease up to `limit` of a provider's connections that are due and that nobody else renews.

    Those that are due for longest come first. However many they are, it takes two statements.
    """
    with transaction():
        due = (
            _T.select(_T.id, _T.version)
            .where(_T.provider == provider, _T.renew_at <= now, is_free(now))
            .order_by(_T.renew_at)
            .limit(limit)
        )
        if database.for_update:
            # Several sweeps at once share the work; on SQLite they wait for one another instead,
            # so that nobody can change a row between the two statements there either.
            due = due.for_update(skip_locked=True)
        found = list(due)
        if found:
            ids = [row.id for row in found]
            _T.update(lease_until=lease_until).where(_T.id.in_(ids)).execute()
    return [Lease(row.id, row.version, lease_until) for row in found]


def hasten_failing(provider: str, now: datetime) -> None:
    """Let a provider's connections that wait after a failure be due at once.

    Call this in a transaction. Those that somebody is writing at the moment are left alone.
    """
    is_failing = _T.status == ConnectionStatus.RENEWAL_FAILING
    waiting = _T.select(_T.id).where(_T.provider == provider, _T.renew_at > now, is_failing)
    if database.for_update:
        # Whoever writes many rows at the same time, in another order, would wait for us and we
        # for them.
        waiting = waiting.for_update(skip_locked=True)
    ids = [row.id for row in waiting]
    for start in range(0, len(ids), MOST_AT_ONCE):
        some = ids[start : start + MOST_AT_ONCE]
        _T.update(renew_at=now).where(_T.id.in_(some)).execute()
