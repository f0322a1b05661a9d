"""Routes of the overview: the page, and its events."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from worker.http.console.access import ConsoleRoute
from worker.http.console.live import follow
from worker.http.console.overview.feed import find_feed
from worker.http.console.rendering import render_console
from worker.http.shim import ShimDependency

router = APIRouter(route_class=ConsoleRoute, include_in_schema=False)


@router.get("/console")
async def show_overview(request: Request, shim: ShimDependency) -> Response:
    """Show the state of the service."""
    part = await find_feed(request, shim).render()
    return render_console(request, "overview.html", part=part)


@router.get("/console/live")
async def follow_overview(request: Request, shim: ShimDependency) -> Response:
    """Send the overview's part anew every few seconds, until the process stops."""
    return follow(request, shim, find_feed(request, shim).render)
