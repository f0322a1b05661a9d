"""Changes to all connections that match a search, slice by slice, each with its own audit event."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

from actors.connections.search import build_search
from actors.cursors import decode_cursor, encode_cursor
from actors.events.audit import record_all
from actors.events.kinds import EventKind
from catfeeder.queue.requester import visible_app
from models.db.database import hold_connection, transaction
from models.oauth.connections import TAB_CONNECTIONS, ConnectionStatus
from models.oauth.lookups.search import find_page
from models.renewal.leases import expedite

_PLANNED: Final = (ConnectionStatus.ACTIVE, ConnectionStatus.RENEWAL_FAILING)


class Slice(NamedTuple):
    """Some of the connections that match, authentic all, and where the next ones begin."""

    rows: list[TAB_CONNECTIONS]
    next_cursor: str | None


def read_slice(
    *,
    text: str | None = None,
    provider: str | None = None,
    status: str | None = None,
    cursor: str | None = None,
    limit: int,
) -> Slice:
    """Return up to `limit` connections that match, the newest first.

    Raises:
        CursorInvalid: `cursor` is not a `next_cursor` of an earlier slice.
    """
    after = decode_cursor(cursor) if cursor else None
    with hold_connection():
        search = build_search(text=text, provider=provider, status=status)
        found = find_page(search, after=after, limit=limit)
    end = None if found.end is None else encode_cursor(found.end)
    return Slice(TAB_CONNECTIONS.keep_authentic(found.rows), end)


def read_rows(ids: Sequence[str]) -> list[TAB_CONNECTIONS]:
    """Return the connections of `ids` that there are still, authentic all, and visible."""
    with hold_connection():
        found = TAB_CONNECTIONS.list_of(ids, visible_app())
    return TAB_CONNECTIONS.keep_authentic(found)


def is_renewed_by_plan(row: TAB_CONNECTIONS) -> bool:
    """Return whether a sweep renews a connection once it is due."""
    return row.status in _PLANNED and row.renew_at is not None


def make_due(rows: Sequence[TAB_CONNECTIONS], now: datetime) -> None:
    """Make connections due now: the next sweep renews them, with each provider's share of it."""
    with transaction():
        changed = expedite([row.id for row in rows], now)
        record_all(EventKind.RENEWAL_REQUESTED, ((row, {}) for row in changed), now)
