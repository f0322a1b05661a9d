"""Route of the catalogue: finds the presets that there are, for operators and apps."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse

from actors.providers.catalogue.search import search_catalogue
from catfeeder.results import CataloguePage
from worker.http.auth.api_keys import Scope, require_scope
from worker.http.auth.guarded_route import GuardedRoute
from worker.http.routes.described_router import DescribedRouter
from worker.http.schemas.providers import CatalogueQuery
from worker.http.schemas.shapes import build_model

router = DescribedRouter(prefix="/v1/catalogue", tags=["providers"], route_class=GuardedRoute)


@router.get(
    "",
    response_model=build_model(CataloguePage),
    dependencies=require_scope(Scope.CONNECTIONS_READ),
)
async def read_catalogue(query: Annotated[CatalogueQuery, Query()]) -> JSONResponse:
    """Return a page of the presets whose name has the words of `query`, by name."""
    return JSONResponse(await run_in_threadpool(search_catalogue, **query.model_dump()))
