"""Accounts: the connections that a page shows, those of its subject and of no other."""

from __future__ import annotations

from collections.abc import Collection

from actors.connections.errors import ConnectionUnknown
from actors.connections.reading import describe_connection, find_connection, list_connections
from catfeeder.results import Connection
from models.db.database import hold_connection
from models.oauth.connect_sessions import TAB_CONNECT_SESSIONS
from models.oauth.connections import TAB_CONNECTIONS
from models.oauth.providers import public_name

#: A device that got no token leaves a connection that names no account.
_WITHOUT_TOKEN = ("pending", "reauthorization_required")


def list_accounts(session: TAB_CONNECT_SESSIONS, providers: Collection[str]) -> list[Connection]:
    """Return the connections to these providers that a page shows, oldest first."""
    if session.subject:
        found = list_connections(subject=session.subject)["items"]
    else:
        found = _list_by_id([session.connection_id, *(session.connected or ())])
    shown = [one for one in found if one["provider"] in providers and _is_shown(one)]
    return [one for one in shown if one["status"] != "revoked"]


def _list_by_id(ids: Collection[str | None]) -> list[Connection]:
    found = []
    with hold_connection():
        for connection_id in dict.fromkeys(ids):
            row = TAB_CONNECTIONS.find(connection_id) if connection_id else None
            if row is not None:
                found.append(describe_connection(row))
    return found


def _is_shown(connection: Connection) -> bool:
    is_nobodys = connection["profile"]["source"] is None
    return not (is_nobodys and connection["status"] in _WITHOUT_TOKEN)


def find_account(session: TAB_CONNECT_SESSIONS, connection_id: str) -> TAB_CONNECTIONS:
    """Return a connection that a page may act on.

    Raises:
        ConnectionUnknown: It is not its subject's, or none of its providers'.
    """
    row = find_connection(connection_id)
    is_own = row.app == session.app and row.subject == session.subject
    if not session.subject:
        is_own = is_own and row.id in (session.connection_id, *(session.connected or ()))
    if not is_own or not _is_offered(session, row):
        raise ConnectionUnknown
    return row


def _is_offered(session: TAB_CONNECT_SESSIONS, row: TAB_CONNECTIONS) -> bool:
    return session.providers is None or public_name(row.provider) in session.providers


def note_connected(session: TAB_CONNECT_SESSIONS, connection_id: str) -> TAB_CONNECTIONS:
    """Record that a sign-in of the page has made or renewed a connection, and return that.

    Raises:
        ConnectionUnknown: It is another subject's, or another app's.
    """
    row = find_connection(connection_id)
    if row.app != session.app or row.subject != session.subject or not _is_offered(session, row):
        raise ConnectionUnknown
    TAB_CONNECT_SESSIONS.add_connected(session.id, row.id)
    return row
