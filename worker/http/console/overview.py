"""Routes of the overview: the whole service on one screen, kept live by server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final, TypedDict

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from catfeeder.clock import utc_now
from worker.http.console.access import ConsoleRoute
from worker.http.console.rendering import render_console
from worker.http.pages.templating import render
from worker.http.shim import Shim, ShimDependency
from worker.queue_report import Queue, describe_queues

router = APIRouter(route_class=ConsoleRoute, include_in_schema=False)


class _State(TypedDict):
    queues: list[Queue]


_INTERVAL_SECONDS: Final = 2.0
_PART: Final = "console/overview_part.html"


@router.get("/console")
async def show_overview(request: Request, shim: ShimDependency) -> Response:
    """Show the state of the service."""
    return render_console(request, "overview.html", state=await _read_state(shim))


@router.get("/console/live")
async def follow_overview(shim: ShimDependency) -> Response:
    """Send the overview's part anew every few seconds, until the process stops."""
    return StreamingResponse(_follow(shim), media_type="text/event-stream")


async def _follow(shim: Shim) -> AsyncIterator[str]:
    while not shim.draining.has_begun:
        part = render(_PART, state=await _read_state(shim))
        yield "".join(f"data: {line}\n" for line in part.splitlines()) + "\n"
        await asyncio.sleep(_INTERVAL_SECONDS)


async def _read_state(shim: Shim) -> _State:
    return {"queues": await run_in_threadpool(describe_queues, shim.client.broker, utc_now())}
