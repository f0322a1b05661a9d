"""Routes of apps: the operator makes, changes and deletes those that share the service."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from actors.apps import (
    App,
    AppList,
    change_app,
    create_app,
    delete_app,
    describe_app,
    list_apps,
)
from catfeeder.clock import utc_now
from worker.http.asgi.threads import run_with_database
from worker.http.auth.api_keys import Scope, require_scope
from worker.http.auth.guarded_route import GuardedRoute
from worker.http.schemas.apps import AppChanges, NewApp
from worker.http.schemas.shapes import build_model
from worker.http.shim import ShimDependency

router = APIRouter(
    prefix="/v1/apps",
    tags=["apps"],
    route_class=GuardedRoute,
    dependencies=require_scope(Scope.ADMIN),
)
_AppModel = build_model(App)


@router.get("", response_model=build_model(AppList))
async def read_apps() -> JSONResponse:
    """Return all apps."""
    return JSONResponse({"items": await run_with_database(list_apps)})


@router.post("", status_code=201, response_model=_AppModel)
async def make_app(body: NewApp) -> JSONResponse:
    """Make an app; its keys come from `POST /v1/keys` and `python -m worker queue-key`."""
    settings = body.model_dump(exclude_none=True, exclude={"id", "name"})
    made = await run_with_database(create_app, body.id, body.name or body.id, settings, utc_now())
    return JSONResponse(made, 201)


@router.get("/{app}", response_model=_AppModel)
async def read_app(app: str) -> JSONResponse:
    """Return an app."""
    return JSONResponse(await run_with_database(describe_app, app))


@router.patch("/{app}", response_model=_AppModel)
async def patch_app(app: str, body: AppChanges) -> JSONResponse:
    """Change some settings of an app (RFC 7396): null removes one."""
    changes = body.model_dump(exclude_unset=True)
    return JSONResponse(await run_with_database(change_app, app, changes, utc_now()))


@router.delete("/{app}", status_code=204)
async def remove_app(app: str, shim: ShimDependency) -> Response:
    """Delete an app that no user is connected for; its keys end as revoked ones do."""
    await run_with_database(delete_app, app, utc_now())
    shim.api_keys.stored_keys.clear()
    return Response(status_code=204)
