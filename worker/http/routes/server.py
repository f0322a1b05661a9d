"""Routes of the service itself: health, metrics, shutdown."""

from __future__ import annotations

import logging
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, PlainTextResponse, Response

from catfeeder.errors import QueueUnreachable
from catfeeder.messages import SHUT_DOWN
from catfeeder.queue.redis.connection import translate_redis_errors
from models.db.database import hold_connection
from models.server import current_generation
from worker.http.auth.api_keys import Scope, require_scope
from worker.http.auth.guarded_route import GuardedRoute
from worker.http.handlers.health import describe_health
from worker.http.metrics.scrape import Part
from worker.http.routes.described_router import DescribedRouter
from worker.http.schemas.server import Health, Stopping
from worker.http.schemas.shapes import build_model
from worker.http.shim import Shim, ShimDependency

router = DescribedRouter(tags=["server"], route_class=GuardedRoute)
_requires_admin = require_scope(Scope.ADMIN)
_HEALTH: Final = build_model(Health)
_log: Final = logging.getLogger(__name__)


@router.post(
    "/v1/server/shutdown",
    status_code=202,
    response_model=build_model(Stopping),
    dependencies=_requires_admin,
)
async def shut_down_service(shim: ShimDependency) -> JSONResponse:
    """Drain and stop the whole service; this answer comes first."""
    await run_in_threadpool(_check_broker, shim)
    # The latest boot, which may be a newer one's than this process's: all older ones stop with it.
    generation = await run_in_threadpool(_read_generation)
    answer: Stopping = {"status": "stopping", "generation": generation}
    task = BackgroundTask(_request_shutdown, shim, generation)
    return JSONResponse(answer, 202, background=task)


def _read_generation() -> int:
    with hold_connection():
        return current_generation()


def _check_broker(shim: Shim) -> None:
    with translate_redis_errors():
        shim.client.redis.ping()


async def _request_shutdown(shim: Shim, generation: int) -> None:
    """Send the shutdown of the latest boot generation, and take no new work here from now on."""
    try:
        await run_in_threadpool(shim.client.enqueue, SHUT_DOWN, generation=generation)
    except QueueUnreachable:
        _log.error(
            "The shutdown was not sent, since the queue cannot be reached: the service runs on."
        )
    else:
        shim.draining.begin(generation)


@router.get("/health", response_model=_HEALTH, responses={503: {"model": _HEALTH}})
async def read_health(shim: ShimDependency) -> JSONResponse:
    """Return whether the service can do its work; needs no key.

    `degraded` is 200: this process does its part, and some queue has no worker at the moment.
    """
    described = await describe_health(shim)
    is_serving = described["status"] in ("healthy", "degraded")
    return JSONResponse(described, 200 if is_serving else 503)


# A key rather than "loopback only": behind a proxy on the same machine every client is loopback.
@router.get(
    "/metrics",
    response_class=PlainTextResponse,
    dependencies=require_scope(Scope.METRICS),
)
async def read_metrics(shim: ShimDependency, of: Part | None = None) -> Response:
    """Return what Prometheus scrapes: this process's metrics, and those of the whole service.

    Of several web processes one alone answers with the latter, so that sums over all are right.
    `of=process` and `of=service` ask for the one part from any process, such as through a proxy.
    """
    text = await run_in_threadpool(shim.metrics.text, of)
    return Response(text, headers={"Content-Type": CONTENT_TYPE_LATEST})
