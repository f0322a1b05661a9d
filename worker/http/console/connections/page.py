"""Routes of one connection's page: its facts, its next renewal and its life, never a token."""

from __future__ import annotations

from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from actors.connections.errors import ConnectionUnknown
from actors.connections.reading import describe_connection, find_connection
from actors.events.audit import list_events
from actors.renewal.plan.listing import describe_renewal
from catfeeder.clock import rfc3339, utc_now
from models.oauth.connections import TAB_CONNECTIONS
from worker.http.asgi.threads import run_with_database
from worker.http.console.access import ConsoleRoute
from worker.http.console.live import follow
from worker.http.console.rendering import render_console
from worker.http.console.words import EVENT_HELPERS, STATUS_MEANINGS, find_remedy
from worker.http.pages.templating import render
from worker.http.schemas.fields import ConnectionId
from worker.http.shim import ShimDependency

router = APIRouter(route_class=ConsoleRoute, include_in_schema=False)
_PATH: Final = "/console/connections/{connection_id}"
_PART: Final = "console/connections/one_part.html"
_EVENTS: Final = 30
_Cursor = Annotated[str | None, Query(max_length=512)]


@router.get(_PATH)
async def show_connection(
    request: Request, connection_id: ConnectionId, cursor: _Cursor = None
) -> Response:
    """Show a connection; with its latest events it follows what happens."""
    found = await run_with_database(_read, connection_id, cursor)
    query = f"?{urlencode({'app': app})}" if (app := _find_app(request)) else ""
    live = None if cursor else f"/console/connections/{found['connection']['id']}/live{query}"
    return render_console(request, "connections/one.html", live=live, **EVENT_HELPERS, **found)


@router.get(f"{_PATH}/live")
async def follow_connection(
    request: Request, connection_id: ConnectionId, shim: ShimDependency
) -> Response:
    """Send what is known of a connection anew whenever that has changed."""
    app = _find_app(request)

    async def read_part() -> str:
        try:
            found = await run_with_database(_read, connection_id, None)
        except ConnectionUnknown:
            found = {"connection": None}
        return render(_PART, app=app, **EVENT_HELPERS, **found)

    return follow(request, shim, read_part)


def _find_app(request: Request) -> str:
    """Return the app that the page is about; empty where it is about any."""
    return request.query_params.get("app", "")


def _read(connection_id: str, cursor: str | None) -> dict[str, Any]:
    row = find_connection(connection_id)
    return {
        "connection": describe_connection(row),
        "facts": _read_facts(row),
        "meaning": STATUS_MEANINGS[row.status].sentence,
        "remedy": find_remedy(row.status, row.reason),
        "renewal": describe_renewal(row, utc_now()),
        "events": list_events(connection_id=row.id, cursor=cursor, limit=_EVENTS),
    }


def _read_facts(row: TAB_CONNECTIONS) -> dict[str, Any]:
    """Return what operators see beside what apps see."""
    return {
        "renewals": max(row.version - 1, 0),
        "failures": row.failures,
        "refused_since": rfc3339(row.refused_since),
        "grant_expires_at": rfc3339(row.grant_expires_at),
        "token_type": row.token_type,
        "has_refresh_token": row.refresh_token is not None,
        "has_credentials": row.credentials is not None,
    }
