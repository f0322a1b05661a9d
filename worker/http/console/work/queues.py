"""Routes of the queues' page: what waits, and pauses by hand."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from catfeeder.clock import utc_now
from catfeeder.messages import CONTROL
from worker.http.asgi.threads import run_with_database
from worker.http.console.access import ConsoleRoute
from worker.http.console.notices import go_to
from worker.http.console.rendering import render_console
from worker.http.shim import ShimDependency
from worker.queue.pauses import pause_queue, resume_queue
from worker.queue.report import QueueName, describe_queues

router = APIRouter(prefix="/console/queues", route_class=ConsoleRoute, include_in_schema=False)
_PATH = "/console/queues"


@router.get("")
async def show_queues(request: Request, shim: ShimDependency) -> Response:
    """Show the state of each queue."""
    live = await shim.live_workers.count(shim.redis)
    queues = await run_in_threadpool(describe_queues, shim.client.broker, utc_now())
    return render_console(request, "work/queues.html", queues=queues, live=live, unpausable=CONTROL)


@router.post("/{queue}/pause")
async def pause(request: Request, queue: QueueName, shim: ShimDependency) -> Response:
    """Keep workers from fetching from a queue until it is resumed."""
    await run_with_database(pause_queue, shim.client.redis, queue.value, utc_now())
    return go_to(request, _PATH, "queue-paused")


@router.post("/{queue}/resume")
async def resume(request: Request, queue: QueueName, shim: ShimDependency) -> Response:
    """Let workers fetch from a queue again."""
    await run_with_database(resume_queue, shim.client.redis, queue.value, utc_now())
    return go_to(request, _PATH, "queue-resumed")
