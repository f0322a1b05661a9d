"""Routes of the list of connections: searched by subject, e-mail address, provider and state."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from actors.apps.registration import list_apps
from actors.connections.search import list_provider_names, search_connections
from actors.cursors import is_id
from models.oauth.connections import ConnectionStatus
from worker.http.asgi.threads import run_with_database
from worker.http.console.access import ConsoleRoute
from worker.http.console.filters import EmptyIsNone, Filters, OptionalText
from worker.http.console.rendering import render_console

router = APIRouter(route_class=ConsoleRoute, include_in_schema=False)


class ConnectionFilters(Filters):
    """What the form of the list asks for; `q` is a subject or an e-mail address."""

    q: OptionalText = None
    provider: OptionalText = None
    status: Annotated[ConnectionStatus | None, EmptyIsNone] = None

    def to_search(self) -> dict[str, Any]:
        """Return what `search_connections` takes."""
        search = super().to_search()
        search["text"] = search.pop("q")
        return search


@router.get("/console/connections")
async def show_connections(
    request: Request, filters: Annotated[ConnectionFilters, Query()]
) -> Response:
    """Show a page of the connections that match; an id leads to its connection."""
    if filters.q is not None and is_id(filters.q):
        suffix = f"?{urlencode({'app': filters.app})}" if filters.app else ""
        return RedirectResponse(f"/console/connections/{filters.q}{suffix}", 303)
    return render_console(
        request,
        "connections/list.html",
        filters=filters,
        kept=filters.to_query(),
        statuses=list(ConnectionStatus),
        **await run_with_database(_search, filters),
    )


def _search(filters: ConnectionFilters) -> dict[str, Any]:
    return {
        "page": search_connections(**filters.to_search()),
        "providers": list_provider_names(),
        "apps": [app["id"] for app in list_apps()],
    }
