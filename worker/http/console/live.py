"""Live parts of pages: sent anew by server-sent events (HTML Living Standard) when they change.

Streams are bounded in number, and end with the session, and when the process drains or stops:
uvicorn waits for open answers, and these have no end of their own.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from catfeeder.errors import CatFeederError
from worker.http.asgi.connections import END_STREAM
from worker.http.errors.refusals import TooManyStreams
from worker.http.shim import Shim

#: Of one process; each page that is open has one.
MAX_STREAMS: Final = 100
_INTERVAL_SECONDS: Final = 2.0
#: How late a stream may see that the service drains.
_LOOK_SECONDS: Final = 0.25
#: A comment, which keeps proxies from closing a connection on which nothing changes.
_NOTHING_NEW: Final = ":\n\n"
#: A proxy that buffers would keep the events to itself.
_HEADERS: Final = {"X-Accel-Buffering": "no"}
_open: Final[set[asyncio.Event]] = set()


def follow(request: Request, shim: Shim, read_part: Callable[[], Awaitable[str]]) -> Response:
    """Answer with a part of a page, and again whenever it has changed.

    Raises:
        ServerStopping: The service is stopping.
        TooManyStreams: This process has as many streams as it may.
    """
    shim.draining.refuse_work()
    if len(_open) >= MAX_STREAMS:
        raise TooManyStreams(headers={"Retry-After": "10"})
    ended = asyncio.Event()
    setattr(request.state, END_STREAM, ended.set)
    events = _follow(request, shim, read_part, ended)
    return StreamingResponse(events, media_type="text/event-stream", headers=_HEADERS)


async def _follow(
    request: Request, shim: Shim, read_part: Callable[[], Awaitable[str]], ended: asyncio.Event
) -> AsyncIterator[str]:
    latest = None
    _open.add(ended)
    try:
        while not _is_over(shim, ended) and await shim.console_sessions.read(request):
            part = await _try(read_part)
            if part is None:
                break
            is_new, latest = part != latest, part
            yield _to_event(part) if is_new else _NOTHING_NEW
            await _pause(shim, ended)
    finally:
        _open.discard(ended)


async def _try(read_part: Callable[[], Awaitable[str]]) -> str | None:
    """Return the part; None while its database or queue is away: its page then asks anew."""
    try:
        return await read_part()
    except CatFeederError:
        return None


def _to_event(part: str) -> str:
    return "".join(f"data: {line}\n" for line in part.splitlines()) + "\n"


def _is_over(shim: Shim, ended: asyncio.Event) -> bool:
    return ended.is_set() or shim.draining.has_begun


async def _pause(shim: Shim, ended: asyncio.Event) -> None:
    """Wait for the next look, but not beyond the end of the process or of its work."""
    until = time.monotonic() + _INTERVAL_SECONDS
    while not _is_over(shim, ended) and (left := until - time.monotonic()) > 0:
        try:
            async with asyncio.timeout(min(left, _LOOK_SECONDS)):
                await ended.wait()
        except TimeoutError:
            continue
