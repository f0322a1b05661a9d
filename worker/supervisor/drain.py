"""Drain: waits until no job is in flight or queued, so that a shutdown cuts none off."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from catfeeder.messages import CONTROL, OAUTH, PASSWORDS

#: A renewal is a row of the database: an unfinished one is made after the next start.
_AWAITED_QUEUES: Final = (PASSWORDS, OAUTH, CONTROL)
_POLL_SECONDS: Final = 0.1


async def drain_queues(redis_url: str, seconds: float) -> bool:
    """Wait up to `seconds` until the awaited queues hold no message; return whether they do not.

    Raises:
        QueueUnreachable: Redis did not answer.
    """
    # Loading Dramatiq and redis takes a quarter of a second that the start does not have.
    from catfeeder.queue.broker import NAMESPACE
    from catfeeder.queue.redis.connection import connect_redis, translate_redis_errors

    # Dramatiq keeps the body of a message here from its enqueueing until it was acknowledged.
    keys = [f"{NAMESPACE}:{queue}.msgs" for queue in _AWAITED_QUEUES]
    deadline = time.monotonic() + seconds
    with translate_redis_errors(), connect_redis(redis_url) as client:
        while sum(int(client.hlen(key)) for key in keys):
            if time.monotonic() >= deadline:
                return False
            await asyncio.sleep(_POLL_SECONDS)
    return True
