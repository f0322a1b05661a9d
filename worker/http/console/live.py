"""Live parts of pages: sent anew by server-sent events (HTML Living Standard) when they change."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from worker.http.shim import Shim

_INTERVAL_SECONDS: Final = 2.0
#: A comment, which keeps proxies from closing a connection on which nothing changes.
_NOTHING_NEW: Final = ":\n\n"


def follow(request: Request, shim: Shim, read_part: Callable[[], Awaitable[str]]) -> Response:
    """Answer with a part of a page, and again whenever it has changed.

    It ends with the session, and when the process stops.
    """
    return StreamingResponse(_follow(request, shim, read_part), media_type="text/event-stream")


async def _follow(
    request: Request, shim: Shim, read_part: Callable[[], Awaitable[str]]
) -> AsyncIterator[str]:
    latest = None
    while not shim.draining.has_begun and await shim.console_sessions.read(request):
        part = await read_part()
        is_new, latest = part != latest, part
        yield _to_event(part) if is_new else _NOTHING_NEW
        await asyncio.sleep(_INTERVAL_SECONDS)


def _to_event(part: str) -> str:
    return "".join(f"data: {line}\n" for line in part.splitlines()) + "\n"
