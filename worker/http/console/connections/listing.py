"""Routes of the list of connections: searched by subject, e-mail address, provider and state."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query
from pydantic import BaseModel, BeforeValidator, Field
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from actors.connections.search import list_provider_names, search_connections
from actors.cursors import is_id
from models.oauth.connections import ConnectionStatus
from worker.http.asgi.threads import run_with_database
from worker.http.console.access import ConsoleRoute
from worker.http.console.rendering import render_console
from worker.http.schemas.fields import Text

router = APIRouter(route_class=ConsoleRoute, include_in_schema=False)


def _drop_empty(value: object) -> object:
    """Return None for a field of a form that was left empty."""
    return (value.strip() or None) if isinstance(value, str) else value


_EmptyIsNone = BeforeValidator(_drop_empty)


class Filters(BaseModel):
    """What the form of the list asks for."""

    text: Annotated[Text | None, _EmptyIsNone] = Field(default=None, alias="q")
    provider: Annotated[Text | None, _EmptyIsNone] = None
    status: Annotated[ConnectionStatus | None, _EmptyIsNone] = None

    def to_query(self) -> dict[str, str]:
        """Return the parameters that are set, as links have them."""
        found = {"q": self.text, "provider": self.provider, "status": self.status}
        return {name: str(value) for name, value in found.items() if value}


class _ListQuery(Filters):
    cursor: Annotated[str | None, _EmptyIsNone] = Field(default=None, max_length=512)


@router.get("/console/connections")
async def show_connections(request: Request, query: Annotated[_ListQuery, Query()]) -> Response:
    """Show a page of the connections that match; an id leads to its connection."""
    app = request.query_params.get("app")
    if query.text is not None and is_id(query.text):
        suffix = f"?{urlencode({'app': app})}" if app else ""
        return RedirectResponse(f"/console/connections/{query.text}{suffix}", 303)
    found = await run_with_database(_search, query)
    kept = query.to_query() | ({"app": app} if app else {})
    return render_console(
        request,
        "connections/list.html",
        filters=query,
        kept=kept,
        statuses=list(ConnectionStatus),
        is_first=query.cursor is None,
        **found,
    )


def _search(query: _ListQuery) -> dict[str, Any]:
    asked = query.model_dump()
    return {"page": search_connections(**asked), "providers": list_provider_names()}
