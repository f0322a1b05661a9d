"""Search of stored connections, for an operator: by whatever is known of one, newest first."""

from __future__ import annotations

from actors.connections.reading import describe_connection
from actors.cursors import decode_cursor, encode_cursor
from catfeeder import results
from catfeeder.queue.requester import visible_app
from models.db.database import hold_connection
from models.oauth.connections import TAB_CONNECTIONS
from models.oauth.lookups.search import ConnectionSearch, Count, Position, count_matching, find_page
from models.oauth.providers import list_keys, list_names


def build_search(
    *, text: str | None = None, provider: str | None = None, status: str | None = None
) -> ConnectionSearch:
    """Return a search among the connections that are visible, on a connection that is held.

    `text` is a connection's subject or its e-mail address, in any case.
    """
    app = visible_app()
    providers = None if provider is None else list_keys(app, provider)
    return ConnectionSearch(text, app, providers, status)


def search_connections(
    *,
    text: str | None = None,
    provider: str | None = None,
    status: str | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> results.ConnectionPage:
    """Return a page of at most `limit` connections, newest first.

    It may end before it is full, so that no page takes long; the next one goes on from there.

    Raises:
        CursorInvalid: `cursor` is not a `next_cursor` of an earlier page.
    """
    after: Position | None = decode_cursor(cursor) if cursor else None
    with hold_connection():
        search = build_search(text=text, provider=provider, status=status)
        found = find_page(search, after=after, limit=limit)
    shown = TAB_CONNECTIONS.keep_authentic(found.rows)
    end = None if found.end is None else encode_cursor(found.end)
    return {"items": [describe_connection(row) for row in shown], "next_cursor": end}


def count_connections(
    *, text: str | None = None, provider: str | None = None, status: str | None = None
) -> Count:
    """Count the connections that match, as far as that takes little time."""
    with hold_connection():
        return count_matching(build_search(text=text, provider=provider, status=status))


def list_provider_names() -> list[str]:
    """Return the names of the providers that are visible."""
    with hold_connection():
        return list_names(visible_app())
