"""Thread pools: database calls run in the requests' pool, health checks in a small one apart."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final, ParamSpec, TypeVar

import anyio
from anyio.lowlevel import RunVar
from starlette.concurrency import run_in_threadpool

from models.db.database import hold_connection

P = ParamSpec("P")
T = TypeVar("T")

_RESERVED_THREADS: Final = 4
_limiter: RunVar[anyio.CapacityLimiter] = RunVar("catfeeder_reserved_threads")


async def run_with_database(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a blocking function in the pool, and hold a database connection for just that long."""
    call = functools.partial(function, *args, **kwargs)
    return await run_in_threadpool(_call_with_connection, call)


def _call_with_connection(function: Callable[[], T]) -> T:
    with hold_connection():
        return function()


async def run_in_reserved_thread(function: Callable[..., T], *args: Any) -> T:
    """Call a blocking function without queueing behind the requests' calls.

    While the broker hangs, requests fill the pool; health and draining must go on all the same.
    """
    return await anyio.to_thread.run_sync(
        function, *args, limiter=_get_limiter(), abandon_on_cancel=True
    )


def _get_limiter() -> anyio.CapacityLimiter:
    try:
        return _limiter.get()
    except LookupError:
        limiter = anyio.CapacityLimiter(_RESERVED_THREADS)
        _limiter.set(limiter)
        return limiter
