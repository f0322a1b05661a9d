"""Routes of the renewal plan."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import Query
from starlette.responses import JSONResponse

from actors.renewal.plan.listing import RenewalPage, list_renewals
from catfeeder.clock import utc_now
from worker.http.asgi.threads import run_with_database
from worker.http.auth.api_keys import Scope, require_scope
from worker.http.auth.guarded_route import GuardedRoute
from worker.http.handlers.preconditions import list_of_provider
from worker.http.routes.described_router import DescribedRouter
from worker.http.schemas.shapes import build_model
from worker.http.schemas.work.renewals import RenewalQuery

router = DescribedRouter(
    prefix="/v1/renewals",
    tags=["connections"],
    route_class=GuardedRoute,
    dependencies=require_scope(Scope.CONNECTIONS_READ),
)


@router.get("", response_model=build_model(RenewalPage))
async def read_renewals(query: Annotated[RenewalQuery, Query()]) -> JSONResponse:
    """Return which tokens would be renewed when and why, the next first; nothing is renewed."""
    wanted = query.model_dump()
    list_page = partial(list_of_provider, list_renewals)
    return JSONResponse(await run_with_database(list_page, **wanted, now=utc_now()))
