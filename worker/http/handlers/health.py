"""Health check: database and broker are asked in parallel, each with a timeout."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, Final

from catfeeder.errors import QueueUnreachable
from catfeeder.queue.redis_connection import translate_redis_errors
from models.db.database import is_answering
from worker.http.asgi.threads import run_in_reserved_thread
from worker.http.shim import Shim

#: A part that takes longer is down as far as users are concerned, and probes give up themselves.
_TIMEOUT_SECONDS: Final = 2.0


async def describe_health(shim: Shim) -> dict[str, Any]:
    """Return the members of GET /health."""
    database, broker = await asyncio.gather(
        _is_up(run_in_reserved_thread(is_answering)), _is_up(_ping_broker(shim))
    )
    is_healthy = database and broker
    status = "stopping" if shim.draining.has_begun else "healthy" if is_healthy else "unhealthy"
    return {
        "status": status,
        "uptime": round(shim.uptime_seconds, 3),
        "database": _to_word(database),
        "broker": _to_word(broker),
    }


def _to_word(is_up: bool) -> str:
    return "up" if is_up else "down"


async def _is_up(answer: Awaitable[bool]) -> bool:
    try:
        async with asyncio.timeout(_TIMEOUT_SECONDS):
            return await answer
    except TimeoutError:
        return False


async def _ping_broker(shim: Shim) -> bool:
    # Not in a thread: a broker that hangs would keep it for as long as the socket's own timeout.
    try:
        with translate_redis_errors():
            return bool(await shim.redis.ping())
    except QueueUnreachable:
        return False
