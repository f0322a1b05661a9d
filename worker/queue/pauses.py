"""Paused queues: an operator keeps workers from fetching, until they are let go on.

The pause is in Redis, where a fetch looks in its own script: it costs no round trip, holds for all
workers at once, and outlives restarts. What is in hand goes on to its end; what is asked waits, as
long as its `max_age` allows.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import cast

import redis

from actors.events.audit import record
from actors.events.kinds import EventKind
from catfeeder.errors import CatFeederError
from catfeeder.messages import CONTROL
from catfeeder.queue.broker import PAUSED_KEY
from catfeeder.queue.lanes import NOTIFICATION_PREFIX
from catfeeder.queue.redis.connection import translate_redis_errors
from models.db.database import transaction


class QueueNotPausable(CatFeederError):
    """Raised for the queue that carries the schedule and the shutdown."""

    message = "The queue control carries the schedule and the shutdown: it cannot be paused."


def pause_queue(client: redis.Redis, queue: str, now: datetime) -> None:
    """Keep workers from fetching from a queue until it is resumed; once paused, do nothing.

    Raises:
        QueueNotPausable: It is `control`.
        QueueUnreachable, DatabaseUnreachable: One of them did not answer; repeat it.
    """
    if queue == CONTROL:
        raise QueueNotPausable
    since = int(now.timestamp() * 1000)
    # The event stands if Redis takes the pause, which is last: a repeat finds it undone.
    with transaction(), translate_redis_errors():
        if not client.hexists(PAUSED_KEY, queue):
            record(EventKind.QUEUE_PAUSED, now=now, queue=queue)
            client.hsetnx(PAUSED_KEY, queue, str(since))


def resume_queue(client: redis.Redis, queue: str, now: datetime) -> None:
    """Let workers fetch from a queue again, at once; where it is not paused, do nothing.

    Raises:
        QueueUnreachable, DatabaseUnreachable: One of them did not answer; repeat it.
    """
    with transaction(), translate_redis_errors():
        if client.hexists(PAUSED_KEY, queue):
            record(EventKind.QUEUE_RESUMED, now=now, queue=queue)
            client.hdel(PAUSED_KEY, queue)
            client.publish(NOTIFICATION_PREFIX + queue, "")


def read_pauses(client: redis.Redis) -> dict[str, datetime | None]:
    """Return the queues that are paused, and since when, where Redis holds a time.

    Raises:
        QueueUnreachable: Redis did not answer.
    """
    with translate_redis_errors():
        found = cast("dict[bytes, bytes]", client.hgetall(PAUSED_KEY))
    return {queue.decode(errors="replace"): _parse(since) for queue, since in found.items()}


def _parse(since: bytes) -> datetime | None:
    return datetime.fromtimestamp(int(since) / 1000, UTC) if since.isdigit() else None
