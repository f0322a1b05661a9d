"""Audit trail: what happened to a connection, provider or key, when, and at whose request."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Annotated, Any, Final, TypedDict, Unpack

from actors.apps.settings import find_webhook_url
from actors.errors import CursorInvalid
from actors.events.kinds import DELIVERED_KINDS, SERVICE_KINDS, EventKind
from catfeeder.clock import rfc3339, utc_now
from catfeeder.queue.requester import DEFAULT_APP, act_for, acting_app, requester, visible_app
from catfeeder.queue.trace_context import request_id
from catfeeder.results import Time
from models.db.database import hold_connection
from models.db.errors import DatabaseUnreachable
from models.events import TAB_EVENTS, EventFilters
from models.oauth.connections import TAB_CONNECTIONS
from models.oauth.providers import owner_of, public_name
from models.sealing import row_macs

#: The number of an event, as `next_cursor` gives it.
_CURSOR: Final = re.compile("[0-9]{1,18}")

#: Where the id of a request is kept, under the MAC of the row.
_REQUEST_ID: Final = "request_id"


class Event(TypedDict):
    """One thing that happened; there is never a secret in it."""

    id: Annotated[int, "Later events have greater ones."]
    app: Annotated[str, "The app that it concerns."]
    kind: Annotated[str, EventKind]
    key_id: Annotated[
        str | None,
        "The API key that it was asked with; null for browsers, the schedule, the command line and "
        "apps on the queue.",
    ]
    provider: str | None
    connection_id: str | None
    subject: str | None
    reference: Annotated[
        str | None, "Of a sign-in that failed: what the page of its end showed the user."
    ]
    request_id: Annotated[
        str | None,
        "The id of the HTTP request that caused it, as in the header X-Request-ID of its answer.",
    ]
    detail: Annotated[dict[str, Any] | None, "Further members, by kind."]
    created_at: Time


class EventPage(TypedDict):
    """Events, newest first."""

    items: list[Event]
    next_cursor: Annotated[str | None, "The `cursor` of the next page; null on the last one."]


def build_event(
    kind: EventKind,
    *,
    now: datetime,
    provider: str | None = None,
    connection: TAB_CONNECTIONS | None = None,
    subject: str | None = None,
    reference: str | None = None,
    **detail: Any,
) -> dict[str, Any]:
    """Return an event as a row to insert, with this thread's requester as `key_id`.

    It belongs to the app of the connection or the provider, else to the one that the thread acts
    for, and is delivered where that app has a webhook.
    `detail` is JSON data for people and apps: our codes and sentences, never a secret.
    """
    app = _find_app(kind, provider, connection)
    return TAB_EVENTS.build_row(
        kind.value,
        app=app,
        key_id=requester.get(),
        provider=public_name(connection.provider if connection else provider),
        connection_id=connection.id if connection else None,
        subject=(connection.subject or None) if connection else subject,
        reference=reference,
        detail=_name_request(detail) or None,
        is_delivered=kind in DELIVERED_KINDS and find_webhook_url(app) is not None,
        now=now,
    )


def _name_request(detail: dict[str, Any]) -> dict[str, Any]:
    """Return what is stored as detail: with the id of the HTTP request, if there is one."""
    of_request = request_id.get()
    return detail if of_request is None else {**detail, _REQUEST_ID: of_request}


def _find_app(kind: EventKind, provider: str | None, connection: TAB_CONNECTIONS | None) -> str:
    """Return the app that an event concerns; the state of what apps share is the operator's."""
    if connection is not None:
        return connection.app
    if owner := owner_of(provider):
        return owner
    return DEFAULT_APP if kind in SERVICE_KINDS else acting_app.get()


def record(kind: EventKind, *, now: datetime, **more: Any) -> None:
    """Insert an event, as `build_event` takes it, in the transaction that makes the change."""
    TAB_EVENTS.insert_rows([build_event(kind, now=now, **more)])


def record_all(
    kind: EventKind,
    changed: Iterable[tuple[TAB_CONNECTIONS, Mapping[str, Any]]],
    now: datetime,
) -> None:
    """Insert an event of each connection with its detail, in the transaction of the changes."""
    rows = (build_event(kind, now=now, connection=row, **detail) for row, detail in changed)
    TAB_EVENTS.insert_many_rows(rows)


def _record_refused_row(table: str, name: str) -> None:
    """Write the event of a row that something else has written; the log has it in any case."""
    with suppress(DatabaseUnreachable), hold_connection(), act_for(DEFAULT_APP):
        record(EventKind.ROW_REFUSED, now=utc_now(), table=table, row=name)


row_macs.reporters[:] = [_record_refused_row]


def list_events(
    *,
    since: datetime | None = None,
    cursor: str | None = None,
    limit: int = 100,
    **wanted: Unpack[EventFilters],
) -> EventPage:
    """Return a page of at most `limit` events, newest first: an app's, or all that are visible.

    Raises:
        CursorInvalid: `cursor` is not a `next_cursor` of an earlier page.
    """
    wanted["app"] = visible_app() or wanted.get("app")
    before = None if cursor is None else read_event_cursor(cursor)
    with hold_connection():
        rows = TAB_EVENTS.list_page(since=since, before=before, limit=limit + 1, **wanted)
    next_cursor = str(rows[limit - 1].id) if len(rows) > limit else None
    return {"items": [describe_event(row) for row in rows[:limit]], "next_cursor": next_cursor}


def read_event_cursor(cursor: str) -> int:
    """Return the number of the event below which the next page begins.

    Raises:
        CursorInvalid: `cursor` is not a `next_cursor` of an earlier page.
    """
    if not _CURSOR.fullmatch(cursor):
        raise CursorInvalid
    return int(cursor)


def describe_event(event: TAB_EVENTS) -> Event:
    """Return an event as apps see it."""
    detail = dict(event.detail or {})
    return {
        "id": event.id,
        "app": event.app,
        "kind": event.kind,
        "key_id": event.key_id,
        "provider": event.provider,
        "connection_id": event.connection_id,
        "subject": event.subject,
        "reference": event.reference,
        "request_id": detail.pop(_REQUEST_ID, None),
        "detail": detail or None,
        "created_at": rfc3339(event.created_at),
    }
