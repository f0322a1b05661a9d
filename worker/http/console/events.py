"""Routes of events: the audit trail, filtered, and followed live by server-sent events."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from actors.apps.registration import list_apps
from actors.connections.search import list_provider_names
from actors.cursors import is_id
from actors.events.audit import EventPage
from actors.events.kinds import EventKind
from actors.events.search import search_events
from worker.http.asgi.threads import run_with_database
from worker.http.console.access import ConsoleRoute
from worker.http.console.filters import EmptyIsNone, Filters, OptionalText
from worker.http.console.live import follow
from worker.http.console.rendering import render_console
from worker.http.console.words import EVENT_HELPERS
from worker.http.pages.templating import render
from worker.http.shim import ShimDependency

router = APIRouter(prefix="/console/events", route_class=ConsoleRoute, include_in_schema=False)
_REFERENCE: Final = re.compile("[0-9a-f]{10}")
_PART: Final = "console/events_part.html"


class EventFilters(Filters):
    """What the form of the list asks for; `q` is a reference, a connection's id or a key's."""

    q: OptionalText = None
    kind: Annotated[EventKind | None, EmptyIsNone] = None
    provider: OptionalText = None

    def to_search(self) -> dict[str, Any]:
        """Return what `search_events` takes."""
        search = super().to_search()
        text = search.pop("q")
        return {**search, **({} if text is None else {_find_meaning(text): text})}


def _find_meaning(text: str) -> str:
    """Return the column that a text stands for, by its form."""
    if _REFERENCE.fullmatch(text):
        return "reference"
    return "connection_id" if is_id(text) else "key_id"


@router.get("")
async def show_events(request: Request, filters: Annotated[EventFilters, Query()]) -> Response:
    """Show a page of the events that match; the first one follows what happens."""
    found = await run_with_database(_read, filters)
    kept = filters.to_query()
    live = None if filters.cursor else f"/console/events/live?{urlencode(kept)}"
    return render_console(
        request,
        "events.html",
        filters=filters,
        kept=kept,
        kinds=sorted(EventKind),
        live=live,
        shows_connection=True,
        **EVENT_HELPERS,
        **found,
    )


@router.get("/live")
async def follow_events(
    request: Request, shim: ShimDependency, filters: Annotated[EventFilters, Query()]
) -> Response:
    """Send the first page's events anew whenever there are others."""

    async def read_part() -> str:
        events = await run_with_database(_search, filters)
        app = filters.app or ""
        return render(_PART, events=events, app=app, shows_connection=True, **EVENT_HELPERS)

    return follow(request, shim, read_part)


def _read(filters: EventFilters) -> dict[str, Any]:
    return {
        "events": _search(filters),
        "providers": list_provider_names(),
        "apps": [app["id"] for app in list_apps()],
    }


def _search(filters: EventFilters) -> EventPage:
    return search_events(**filters.to_search())
