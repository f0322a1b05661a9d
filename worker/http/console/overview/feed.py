"""Overview feed: one snapshot of the service for all viewers of this process."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from typing import Final

from starlette.requests import Request

from worker.http.console.overview.chart import draw_chart
from worker.http.console.overview.counts import CountCache
from worker.http.console.overview.faults import find_faults
from worker.http.console.overview.state import Overview, read_overview
from worker.http.pages.templating import render
from worker.http.shim import Shim

#: A little less than the interval of live parts, so that each of theirs is a new one.
_MIN_SECONDS: Final = 1.8
_PART: Final = "console/overview_part.html"


class OverviewFeed:
    """Renders the overview at most once in two seconds, and only while it is looked at."""

    def __init__(
        self,
        read: Callable[[], Awaitable[Overview]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read = read
        self._clock = clock
        self._lock = asyncio.Lock()
        self._part = ""
        self._rendered_at = -math.inf

    async def render(self) -> str:
        """Return the latest part of the page."""
        async with self._lock:
            if self._clock() - self._rendered_at > _MIN_SECONDS:
                self._part = _render_part(await self._read())
                self._rendered_at = self._clock()
        return self._part


def _render_part(state: Overview) -> str:
    chart = draw_chart(state.counts.renewals) if state.counts else None
    return render(_PART, state=state, faults=find_faults(state), chart=chart)


def find_feed(request: Request, shim: Shim) -> OverviewFeed:
    """Return the feed of this process, which begins with its first viewer."""
    feed: OverviewFeed | None = getattr(request.app.state, "overview_feed", None)
    if feed is None:
        counts = CountCache()
        feed = OverviewFeed(lambda: read_overview(shim, counts))
        request.app.state.overview_feed = feed
    return feed
