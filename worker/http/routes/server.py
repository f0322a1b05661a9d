"""The service itself: its health, its numbers, its end."""

from __future__ import annotations

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, PlainTextResponse, Response

from worker.http.auth.guarded_route import GuardedRoute
from worker.http.auth.keys import Scope, needs
from worker.http.handlers.health import describe_health
from worker.http.handlers.shutdown import check_broker, pass_shutdown_on
from worker.http.schemas.server import Health, Stopping
from worker.http.shim import ShimOf

router = APIRouter(tags=["server"], route_class=GuardedRoute)
_needs_admin = needs(Scope.ADMIN)


@router.post(
    "/v1/server/shutdown", status_code=202, response_model=Stopping, dependencies=_needs_admin
)
async def shut_down(shim: ShimOf) -> JSONResponse:
    """Drain and stop the whole service; this answer comes first."""
    await run_in_threadpool(check_broker, shim)
    answer = {"status": "stopping", "generation": shim.draining.generation}
    return JSONResponse(answer, 202, background=BackgroundTask(pass_shutdown_on, shim))


@router.get("/health", response_model=Health, responses={503: {"model": Health}})
async def health(shim: ShimOf) -> JSONResponse:
    """Tell whether the service can do its work; needs no key."""
    described = await describe_health(shim)
    return JSONResponse(described, 200 if described["status"] == "healthy" else 503)


# A key rather than "loopback only": behind a proxy on the same machine everybody is loopback.
@router.get("/metrics", response_class=PlainTextResponse, dependencies=_needs_admin)
async def metrics(shim: ShimOf) -> Response:
    """Return what Prometheus scrapes, with this process's own counters."""
    text = await run_in_threadpool(shim.metrics.text)
    return Response(text, headers={"Content-Type": CONTENT_TYPE_LATEST})
