"""Routes of the audit trail."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import Query
from starlette.responses import JSONResponse

from actors.events.audit import EventPage, list_events
from worker.http.asgi.threads import run_with_database
from worker.http.auth.api_keys import Scope, require_scope
from worker.http.auth.guarded_route import GuardedRoute
from worker.http.handlers.preconditions import list_of_provider
from worker.http.routes.described_router import DescribedRouter
from worker.http.schemas.shapes import build_model
from worker.http.schemas.work.events import EventQuery

router = DescribedRouter(
    prefix="/v1/events",
    tags=["events"],
    route_class=GuardedRoute,
    dependencies=require_scope(Scope.CONNECTIONS_READ),
)


@router.get("", response_model=build_model(EventPage))
async def read_events(query: Annotated[EventQuery, Query()]) -> JSONResponse:
    """Return a page of events, newest first, so that new ones never shift the pages behind."""
    wanted = query.model_dump()
    list_page = partial(list_of_provider, list_events)
    return JSONResponse(await run_with_database(list_page, **wanted))
