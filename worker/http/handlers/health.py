"""Health check: database and broker are asked in parallel, each with a timeout."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, Final, cast

from redis.exceptions import NoScriptError, ResponseError

import catfeeder
from catfeeder.errors import QueueUnreachable
from catfeeder.messages import QUEUES
from catfeeder.queue.broker import NAMESPACE, PAUSED_KEY
from catfeeder.queue.lanes import NOTIFICATION_PREFIX
from catfeeder.queue.lua_scripts import Script
from catfeeder.queue.redis.connection import translate_redis_errors
from models.db.database import is_answering
from worker.http.asgi.threads import run_in_reserved_thread
from worker.http.schemas.server import Health, HealthStatus, UpOrDown
from worker.http.shim import Shim

#: A part that takes longer is down as far as users are concerned, and probes give up themselves.
_TIMEOUT_SECONDS: Final = 2.0

_PROBE_KEYS: Final = (f"{NAMESPACE}:health:queue", f"{NAMESPACE}:health:job")
# Two keys, as a job has: a cluster refuses those that lie on two of its servers.
_PROBE: Final = Script(f"""
redis.call('HSET', KEYS[2], 'status', 'queued')
redis.call('EXPIRE', KEYS[2], 60)
redis.call('RPUSH', KEYS[1], 'x')
redis.call('DEL', KEYS[1])
redis.call('PUBLISH', '{NOTIFICATION_PREFIX}health', '')
return 1
""")


async def describe_health(shim: Shim) -> Health:
    """Return the members of GET /health."""
    database, broker, paused, (is_ready, workers) = await asyncio.gather(
        _is_up(run_in_reserved_thread(is_answering)),
        _is_up(_probe_broker(shim)),
        _read_paused(shim),
        _read_start_and_workers(shim),
    )
    return {
        "status": _choose_status(
            shim, database and broker, is_ready, all(workers.values()) and not paused
        ),
        "uptime": round(shim.uptime_seconds, 3),
        "version": catfeeder.__version__,
        "database": _to_word(database),
        "broker": _to_word(broker),
        "workers": workers,
        "paused": paused,
    }


def _choose_status(shim: Shim, is_up: bool, is_ready: bool, is_complete: bool) -> HealthStatus:
    if shim.draining.has_begun:
        return "stopping"
    if not is_up:
        return "unhealthy"
    if not is_ready:
        return "starting"
    return "healthy" if is_complete else "degraded"


async def _read_start_and_workers(shim: Shim) -> tuple[bool, dict[str, int]]:
    """Return whether the start has ended, and then the live workers of each queue.

    In this order: workers counted before the start ended may be fewer than those that are ready.
    """
    is_ready = await _is_up(shim.draining.is_ready())
    return is_ready, await _count_workers(shim)


async def _count_workers(shim: Shim) -> dict[str, int]:
    """Return how many live workers each queue has; none while the broker is away."""
    try:
        async with asyncio.timeout(_TIMEOUT_SECONDS):
            return await shim.live_workers.count(shim.redis)
    except (TimeoutError, QueueUnreachable):
        return dict.fromkeys(QUEUES, 0)


async def _read_paused(shim: Shim) -> list[str]:
    """Return the queues that are paused; none while the broker is away."""
    try:
        async with asyncio.timeout(_TIMEOUT_SECONDS):
            with translate_redis_errors():
                found: list[bytes] = await cast("Any", shim.redis.hkeys(PAUSED_KEY))
    except (TimeoutError, QueueUnreachable):
        return []
    return [queue for queue in QUEUES if queue.encode() in found]


def _to_word(is_up: bool) -> UpOrDown:
    return "up" if is_up else "down"


async def _is_up(answer: Awaitable[bool]) -> bool:
    try:
        async with asyncio.timeout(_TIMEOUT_SECONDS):
            return await answer
    except TimeoutError:
        return False


async def _probe_broker(shim: Shim) -> bool:
    """Reach the broker as jobs do: by a script that writes a key and announces it."""
    # Not in a thread: a broker that hangs would keep it for as long as the socket's own timeout.
    try:
        with translate_redis_errors():
            return bool(await _call_probe(shim.redis))
    except (QueueUnreachable, ResponseError):
        return False


async def _call_probe(client: Any) -> Any:
    try:
        return await client.evalsha(_PROBE.name, len(_PROBE_KEYS), *_PROBE_KEYS)
    except NoScriptError:
        return await client.eval(_PROBE.text, len(_PROBE_KEYS), *_PROBE_KEYS)
