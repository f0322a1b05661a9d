"""Where blocking work goes: the pool, or a thread apart for what must not queue there."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import anyio
from anyio.lowlevel import RunVar
from starlette.concurrency import run_in_threadpool

from models.db.database import hold_connection

P = ParamSpec("P")
T = TypeVar("T")

_own_threads: RunVar[anyio.CapacityLimiter] = RunVar("catfeeder_own_threads")


async def run_with_database(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a blocking function in the pool, with a database connection held for just that long."""
    return await run_in_threadpool(_with_connection, functools.partial(function, *args, **kwargs))


def _with_connection(function: Callable[[], T]) -> T:
    with hold_connection():
        return function()


async def run_in_reserved_thread(function: Callable[..., T], *args: Any) -> T:
    """Call a blocking function without waiting behind the requests' calls.

    When the broker hangs, requests fill the pool; health and draining must be told all the same.
    """
    return await anyio.to_thread.run_sync(
        function, *args, limiter=_limiter(), abandon_on_cancel=True
    )


def _limiter() -> anyio.CapacityLimiter:
    try:
        return _own_threads.get()
    except LookupError:
        limiter = anyio.CapacityLimiter(4)
        _own_threads.set(limiter)
        return limiter
