"""Routes of apps: the operator makes, changes and deletes those that share the service."""

from __future__ import annotations

import contextlib

from starlette.responses import JSONResponse, Response

from actors.apps.registration import (
    App,
    AppList,
    change_app,
    create_app,
    delete_app,
    describe_app,
    list_apps,
    revoke_queue_key,
)
from catfeeder.clock import utc_now
from catfeeder.errors import QueueUnreachable
from worker.http.asgi.threads import run_with_database
from worker.http.auth.api_keys import Scope, require_scope
from worker.http.auth.guarded_route import GuardedRoute
from worker.http.routes.described_router import DescribedRouter
from worker.http.schemas.access.apps import AppChanges, NewApp
from worker.http.schemas.shapes import build_model
from worker.http.shim import Shim, ShimDependency
from worker.queue.key_list import publish

router = DescribedRouter(
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
async def make_app(body: NewApp, shim: ShimDependency) -> JSONResponse:
    """Make an app; its keys come from `POST /v1/keys` and `python -m worker keys queue`."""
    settings = body.model_dump(exclude_none=True, exclude={"id", "name"})
    made = await run_with_database(create_app, body.id, body.name or body.id, settings, utc_now())
    await _publish(shim)
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
    await _publish(shim)
    return Response(status_code=204)


@router.post("/{app}/revoke-queue-key", response_model=_AppModel)
async def revoke_app_queue_key(app: str, shim: ShimDependency) -> JSONResponse:
    """Revoke an app's queue keys of up to now; `python -m worker keys queue` prints its new one."""
    changed = await run_with_database(revoke_queue_key, app, utc_now())
    await _publish(shim)
    return JSONResponse(changed)


async def _publish(shim: Shim) -> None:
    """Let the processes without the database know which queue keys serve, without a delay."""
    # Should Redis be away, the scheduler does it in the next seconds.
    with contextlib.suppress(QueueUnreachable):
        await run_with_database(publish, shim.client.redis, shim.client.broker.encoder.sealer)
