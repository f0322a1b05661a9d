"""Search of the audit trail, for an operator: by whatever is known of an event, newest first."""

from __future__ import annotations

from typing import Unpack

from actors.events.audit import EventPage, describe_event, read_event_cursor
from catfeeder.queue.requester import visible_app
from models.db.database import hold_connection
from models.event_search import find_events
from models.events import EventFilters


def search_events(
    *, cursor: str | None = None, limit: int = 50, **wanted: Unpack[EventFilters]
) -> EventPage:
    """Return a page of at most `limit` events.

    It may end before it is full, so that no page takes long; the next one goes on from there.

    Raises:
        CursorInvalid: `cursor` is not a `next_cursor` of an earlier page.
    """
    wanted["app"] = visible_app() or wanted.get("app")
    before = None if cursor is None else read_event_cursor(cursor)
    with hold_connection():
        found = find_events(wanted, before=before, limit=limit)
    end = None if found.end is None else str(found.end)
    return {"items": [describe_event(row) for row in found.rows], "next_cursor": end}
