"""Routes of API keys: the operator makes, lists and revokes them, one for each app."""

from __future__ import annotations

from starlette.responses import JSONResponse, Response

from actors.api_keys import (
    ApiKeyList,
    MadeApiKey,
    list_api_keys,
    make_api_key,
    revoke_api_key,
)
from catfeeder.clock import utc_now
from catfeeder.queue.requester import acting_app
from worker.http.asgi.threads import run_with_database
from worker.http.auth.api_keys import Scope, require_scope
from worker.http.auth.guarded_route import GuardedRoute
from worker.http.routes.described_router import DescribedRouter
from worker.http.schemas.access.keys import NewKey
from worker.http.schemas.shapes import build_model
from worker.http.shim import ShimDependency

router = DescribedRouter(
    prefix="/v1/keys",
    tags=["keys"],
    route_class=GuardedRoute,
    dependencies=require_scope(Scope.ADMIN),
)


@router.post("", status_code=201, response_model=build_model(MadeApiKey))
async def make_key(body: NewKey) -> JSONResponse:
    """Make an API key; this answer alone shows it."""
    now = utc_now()
    made = await run_with_database(
        make_api_key,
        app=body.app or acting_app.get(),
        name=body.name,
        scopes=body.scopes,
        requests_per_minute=body.requests_per_minute,
        expires_at=body.get_end(now),
        now=now,
    )
    return JSONResponse(made, 201)


@router.get("", response_model=build_model(ApiKeyList))
async def read_keys() -> JSONResponse:
    """Return all API keys, without the keys themselves."""
    return JSONResponse({"items": await run_with_database(list_api_keys)})


@router.delete("/{key_id}", status_code=204)
async def revoke_key(key_id: str, shim: ShimDependency) -> Response:
    """Revoke an API key: it ends here at once, and in other processes within five seconds."""
    await run_with_database(revoke_api_key, key_id, utc_now())
    shim.api_keys.stored_keys.clear()
    return Response(status_code=204)
