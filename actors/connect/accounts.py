"""Accounts: the connections that a page shows, those of its subject and of no other."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from actors.connections.errors import ConnectionUnknown
from actors.connections.reading import describe_connection, find_connection
from catfeeder.results import Connection
from models.db.database import hold_connection
from models.oauth.connect_sessions import TAB_CONNECT_SESSIONS
from models.oauth.connections import TAB_CONNECTIONS, ConnectionStatus
from models.oauth.providers import public_name

#: A page shows no more accounts of one subject than these.
_MAX_SHOWN: Final = 100


def list_accounts(session: TAB_CONNECT_SESSIONS, providers: Collection[str]) -> list[Connection]:
    """Return the connections to these providers that a page shows, oldest first."""
    with hold_connection():
        rows = [row for row in _list_rows(session) if _is_shown(row)]
    return [describe_connection(row) for row in rows if public_name(row.provider) in providers]


def _list_rows(session: TAB_CONNECT_SESSIONS) -> list[TAB_CONNECTIONS]:
    if session.subject:
        rows = TAB_CONNECTIONS.list_page(app=session.app, subject=session.subject, limit=_MAX_SHOWN)
        return TAB_CONNECTIONS.keep_authentic(rows)
    ids = dict.fromkeys([session.connection_id, *(session.connected or ())])
    found = [TAB_CONNECTIONS.find(one) for one in ids if one]
    return [row for row in found if row is not None]


def _is_shown(row: TAB_CONNECTIONS) -> bool:
    """Tell whether a connection is an account, or was one: a device that got no token is none."""
    return row.version > 0 and row.status != ConnectionStatus.REVOKED


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
