"""Stored connections as apps see them: all but the tokens, and one token on request."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import cast

from actors.connections.errors import ConnectionUnknown
from actors.cursors import decode_cursor, encode_cursor, is_id
from catfeeder import results
from catfeeder.clock import rfc3339
from catfeeder.queue.requester import is_visible, visible_app
from models.db.database import hold_connection
from models.oauth.connections import TAB_CONNECTIONS
from models.oauth.devices import TAB_DEVICE_AUTHORIZATIONS
from models.oauth.providers import list_keys, public_name


def describe_connection(row: TAB_CONNECTIONS) -> results.Connection:
    """Return a connection as an app sees it: everything but its tokens."""
    sign_in = row.sign_in or {}
    auth_time = sign_in.get("auth_time")
    return {
        "id": row.id,
        "app": row.app,
        "provider": public_name(row.provider),
        "subject": row.subject or None,
        "profile": read_profile(row),
        "scope": row.scope,
        "metadata": row.metadata or {},
        "variables": row.variables or {},
        "resource": sign_in.get("resource", []),
        "auth_time": auth_time and rfc3339(datetime.fromtimestamp(auth_time, UTC)),
        "acr": sign_in.get("acr"),
        "missing_scopes": row.missing_scope.split(),
        "status": cast("results.ConnectionStatus", str(row.status)),
        "reason": row.reason,
        "expires_at": rfc3339(row.expires_at),
        "created_at": rfc3339(row.created_at),
        "updated_at": rfc3339(row.updated_at),
    }


def read_profile(row: TAB_CONNECTIONS) -> results.Profile:
    """Return the stored profile, also one that a release stored before profiles had a source."""
    return cast("results.Profile", {"source": None, **row.profile})


def find_connection(connection_id: str) -> TAB_CONNECTIONS:
    """Return a connection.

    One that waited for a device has another id in the end, where its account was connected before.

    Raises:
        ConnectionUnknown: The acting app has no connection of that id.
    """
    if not is_id(connection_id):
        raise ConnectionUnknown
    with hold_connection():
        row = TAB_CONNECTIONS.find(connection_id)
        if row is None:
            row = TAB_DEVICE_AUTHORIZATIONS.find_connection(connection_id)
    if row is None or not is_visible(row.app):
        raise ConnectionUnknown
    return row


def list_connections(
    *,
    provider: str | None = None,
    subject: str | None = None,
    status: str | None = None,
    email: str | None = None,
    cursor: str | None = None,
    limit: int = 100,
) -> results.ConnectionPage:
    """Return a page of at most `limit` connections that are visible, oldest first.

    Raises:
        CursorInvalid: `cursor` is not a `next_cursor` of an earlier page.
    """
    after = decode_cursor(cursor) if cursor else None
    with hold_connection():
        rows = TAB_CONNECTIONS.list_page(
            app=visible_app(),
            providers=None if provider is None else list_keys(visible_app(), provider),
            subject=subject,
            status=status,
            email=email,
            after=after,
            limit=limit + 1,
        )
    page = rows[:limit]
    end = encode_cursor((page[-1].created_at, page[-1].id)) if len(rows) > limit else None
    shown = TAB_CONNECTIONS.keep_authentic(page)
    return {"items": [describe_connection(row) for row in shown], "next_cursor": end}
