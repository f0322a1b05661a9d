"""Deliveries to webhooks: listed with the receivers' answers, and sent anew on request."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Annotated, Any, Final, TypedDict

from actors.apps.settings import find_webhook_url
from actors.errors import CursorInvalid
from actors.events.audit import record
from actors.events.kinds import EventKind
from catfeeder.clock import rfc3339
from catfeeder.queue.requester import act_for, visible_app
from catfeeder.results import Time
from models.db.database import hold_connection, transaction
from models.events import TAB_EVENTS
from models.webhook_deliveries import TAB_WEBHOOK_DELIVERIES, DeliveryStatus

#: The number of an event, as `next_cursor` gives it.
_CURSOR: Final = re.compile("[0-9]{1,18}")
#: Of one request to send anew.
MAX_RESENT: Final = 1000


class Delivery(TypedDict):
    """The delivery of one event to its app's webhook."""

    event_id: Annotated[int, "The event's `id`, which its receiver has as `webhook-id`."]
    app: str
    kind: str
    provider: str | None
    connection_id: str | None
    status: Annotated[
        str,
        DeliveryStatus,
        "`waiting` for its next try, `delivered`, or `given_up` after 40 tries.",
    ]
    attempts: Annotated[int, "How often it was tried, resending included."]
    answer_status: Annotated[int | None, "The HTTP status of the last answer; null without one."]
    answer: Annotated[str | None, "Why the last try failed; null where it did not."]
    answered_at: Time
    next_attempt_at: Time | None
    created_at: Annotated[Time, "When the event happened."]


class DeliveryPage(TypedDict):
    """Deliveries, those of the newest events first."""

    items: list[Delivery]
    next_cursor: Annotated[str | None, "The `cursor` of the next page; null on the last one."]


class Resent(TypedDict):
    """The events that are sent anew, and the others."""

    resent: list[int]
    left: Annotated[
        list[int],
        "Those that are unknown, were never tried or erased, or whose app has no webhook.",
    ]


def list_deliveries(
    *,
    app: str | None = None,
    status: str | None = None,
    cursor: str | None = None,
    limit: int = 100,
) -> DeliveryPage:
    """Return a page of deliveries that were tried: an app's, or all that are visible.

    Raises:
        CursorInvalid: `cursor` is not a `next_cursor` of an earlier page.
    """
    if cursor is not None and not _CURSOR.fullmatch(cursor):
        raise CursorInvalid
    before = None if cursor is None else int(cursor)
    with hold_connection():
        rows = TAB_WEBHOOK_DELIVERIES.list_page(
            app=visible_app() or app, status=status, before=before, limit=limit + 1
        )
    next_cursor = str(rows[limit - 1].event_id) if len(rows) > limit else None
    return {"items": [_describe(row) for row in rows[:limit]], "next_cursor": next_cursor}


def _describe(row: Any) -> Delivery:
    event: TAB_EVENTS = row.event
    return {
        "event_id": row.event_id,
        "app": row.app,
        "kind": event.kind,
        "provider": event.provider,
        "connection_id": event.connection_id,
        "status": row.status,
        "attempts": row.attempts,
        "answer_status": row.answer_status,
        "answer": row.answer,
        "answered_at": rfc3339(row.answered_at),
        "next_attempt_at": rfc3339(event.deliver_at),
        "created_at": rfc3339(event.created_at),
    }


def resend_deliveries(ids: Sequence[int] | None, now: datetime) -> Resent:
    """Have events delivered anew, or all that were given up, as far as they are visible.

    An event that waits is tried at once. Each keeps its id, so a receiver knows it again.
    """
    with transaction():
        if ids is None:
            ids = TAB_WEBHOOK_DELIVERIES.list_given_up(visible_app(), MAX_RESENT)
        found = TAB_WEBHOOK_DELIVERIES.list_resendable(ids, visible_app())
        events = [event for event in found if find_webhook_url(event.app) is not None]
        resent = [event.id for event in events]
        if resent:
            TAB_WEBHOOK_DELIVERIES.resend(events, now)
            _record(events, now)
    return {"resent": resent, "left": [it for it in dict.fromkeys(ids) if it not in set(resent)]}


def _record(events: Iterable[TAB_EVENTS], now: datetime) -> None:
    """Record in each app's trail which of its events are sent anew."""
    by_app: dict[str, list[int]] = {}
    for event in events:
        by_app.setdefault(event.app, []).append(event.id)
    for app, ids in by_app.items():
        with act_for(app):
            record(EventKind.WEBHOOK_RESENT, now=now, events=ids)
