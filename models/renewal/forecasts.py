"""Forecast: finds the grants that end soon by an index, and lets one process warn of each."""

from __future__ import annotations

from datetime import datetime

from models.oauth.connections import TAB_CONNECTIONS

_T = TAB_CONNECTIONS


def list_due_warnings(now: datetime, limit: int) -> list[TAB_CONNECTIONS]:
    """Return up to `limit` connections whose warning is due, the longest due first."""
    due = _T.select().where(_T.warn_at <= now).order_by(_T.warn_at).limit(limit)
    return _T.keep_authentic(due)


def advance_warning(row: TAB_CONNECTIONS, warn_at: datetime | None) -> bool:
    """Record that this warning is given, and when the next one is due, if any.

    False if another process gave it, or the connection has another grant by now.
    """
    unchanged = (_T.id == row.id) & (_T.warn_at == row.warn_at) & (_T.version == row.version)
    return bool(_T.update(warn_at=warn_at).where(unchanged).execute())
