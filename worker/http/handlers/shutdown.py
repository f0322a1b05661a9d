"""Passing on the word to stop, once whoever said it has been answered."""

from __future__ import annotations

import logging
from typing import Final

from starlette.concurrency import run_in_threadpool

from catfeeder.errors import QueueUnreachable
from catfeeder.redis_connection import translate_redis_errors
from worker.http.shim import Shim

_log: Final = logging.getLogger(__name__)


def check_broker(shim: Shim) -> None:
    """Make sure that the word can be passed on.

    Raises:
        QueueUnreachable: It cannot.
    """
    with translate_redis_errors():
        shim.client.redis.ping()


async def request_shutdown(shim: Shim) -> None:
    """Ask for the shutdown of this boot generation, and take no new work here from now on."""
    try:
        await run_in_threadpool(shim.client.shut_down, shim.draining.generation)
    except QueueUnreachable:
        _log.error("The service was told to stop, but the queue cannot be reached: it runs on.")
    else:
        shim.draining.begin()
