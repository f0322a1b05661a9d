"""In-flight messages: what workers have fetched and not acknowledged, as Redis accounts for it."""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Iterator
from typing import Any, Final, cast

import redis

from actors.queue.spent_messages import SPENT_PREFIX
from actors.telemetry.metrics import REQUEUED
from actors.telemetry.series import OTHER
from catfeeder.messages import QUEUES
from catfeeder.queue.broker import NAMESPACE, WORKERS_KEY
from catfeeder.queue.lanes import NOTIFICATION_PREFIX, idle_key
from catfeeder.queue.lua_scripts import Call, call_script
from catfeeder.queue.redis.connection import translate_redis_errors
from worker.consuming.in_flight.entries import Fetched, parse_entries
from worker.consuming.in_flight.scripts import (
    ACKNOWLEDGE,
    ACKNOWLEDGE_AND_FETCH,
    END_JOB,
    FETCH,
    REQUEUE,
    SET_WORKER_DEATHS,
)
from worker.consuming.in_flight.transient_errors import translate_transient_errors

#: Dramatiq's sorted set of its consuming brokers, by the time of their last heartbeat.
HEARTBEATS_KEY: Final = f"{NAMESPACE}:__heartbeats__"
_ACKS_PREFIX: Final = f"{NAMESPACE}:__acks__."
_DEATHS_PREFIX: Final = f"{NAMESPACE}:ends:"
_DEATHS_TTL_SECONDS: Final = 24 * 3600
#: How many workers may die while they process a message; the last of them processes it alone.
MAX_WORKER_DEATHS: Final = 3


class InFlightMessages:
    """Moves messages between queues and workers; Dramatiq's broker_id names a worker."""

    def __init__(self, client: redis.Redis) -> None:
        self._redis = client
        #: By queue, how many of an app's messages this process holds at once at most.
        self.app_limits: dict[str, int] = {}
        #: By queue, what a message costs whose sender has not said so.
        self.usual_costs: dict[str, int] = {}

    def fetch(
        self,
        broker_id: str,
        queue_name: str,
        count: int,
        processing: Collection[str],
        candidates: Collection[str] = (),
    ) -> list[Fetched]:
        """Return up to `count` messages, and those that a lost answer left behind.

        `processing` and `candidates` are the ids in hand; the latter take nothing of their app's
        share.

        Raises:
            ConnectionClosed: Redis did not answer.
        """
        acks, queue, bodies = _keys(broker_id, queue_name)
        keys = [queue, bodies, acks, HEARTBEATS_KEY, _DEATHS_PREFIX, SPENT_PREFIX]
        shares = self._shares(queue_name, processing)
        arguments = [_now_ms(), broker_id, count, *shares, *processing, *candidates]
        with translate_transient_errors():
            return parse_entries(call_script(self._redis, Call(FETCH, keys, arguments)))

    def _shares(self, queue_name: str, processing: Collection[str]) -> tuple[int, int, int]:
        limit = self.app_limits.get(queue_name, 0)
        return limit, self.usual_costs.get(queue_name, 1), len(processing)

    def acknowledge(
        self,
        broker_id: str,
        queue_name: str,
        redis_message_id: str,
        *,
        job_end: Call | None,
        count: int,
        spent_seconds: int,
        processing: Collection[str],
        candidates: Collection[str],
    ) -> list[Fetched]:
        """End a job, remove its message for good, and return up to `count` further messages.

        The message's bytes are worth nothing for `spent_seconds`.

        Raises:
            ConnectionClosed: Redis did not answer; a repeated call is safe.
        """
        script = ACKNOWLEDGE_AND_FETCH if count else END_JOB if job_end else ACKNOWLEDGE
        acks, queue, bodies = _keys(broker_id, queue_name)
        keys = [acks, bodies, SPENT_PREFIX]
        arguments: list[Any] = [redis_message_id, spent_seconds]
        if count:
            keys += [queue, HEARTBEATS_KEY, _DEATHS_PREFIX]
            arguments += [count, *self._list_held(broker_id, queue_name, processing, candidates)]
        if job_end is not None:
            keys += job_end.keys
            arguments += job_end.arguments
        with translate_transient_errors():
            answer = call_script(self._redis, Call(script, keys, arguments))
        return parse_entries(answer) if count else []

    def _list_held(
        self,
        broker_id: str,
        queue_name: str,
        processing: Collection[str],
        candidates: Collection[str],
    ) -> list[Any]:
        """Return the arguments by which a fetch counts what this process holds."""
        in_hand = [*processing, *candidates]
        shares = self._shares(queue_name, processing)
        return [len(in_hand), _now_ms(), broker_id, *shares, *in_hand]

    def requeue(
        self,
        broker_id: str,
        queue_name: str,
        ids: Collection[str | bytes],
        *,
        at_tail: bool = False,
    ) -> None:
        """Put messages back at the head of their queue, or silently at its tail.

        Raises:
            ConnectionClosed: Redis did not answer.
        """
        if ids:
            push = "RPUSH" if at_tail else "LPUSH"
            with translate_transient_errors():
                self._requeue(broker_id, queue_name, push, 0, *ids)

    def requeue_from_dead_worker(self, broker_id: str) -> int:
        """Put back all that a dead worker had in flight; return the number of messages.

        Raises:
            redis.RedisError: Redis did not answer.
        """
        # The scan also finds queues that only another release knows.
        prefix = f"{_ACKS_PREFIX}{broker_id}."
        keys = cast("Iterator[bytes]", self._redis.scan_iter(match=f"{prefix}*", count=1000))
        names = [key.decode(errors="replace") for key in keys]
        queues = [name.removeprefix(prefix) for name in names if name.startswith(prefix)]
        counts = {
            queue: self._requeue(broker_id, queue, "LPUSH", _DEATHS_TTL_SECONDS) for queue in queues
        }
        for queue, count in counts.items():
            REQUEUED.inc(queue if queue in QUEUES else OTHER, amount=count)
        self.forget_worker(broker_id)
        return sum(counts.values())

    def forget_worker(self, broker_id: str) -> None:
        """Remove the heartbeat and the report of a worker that has nothing in flight.

        Raises:
            redis.RedisError: Redis did not answer.
        """
        self._redis.zrem(HEARTBEATS_KEY, broker_id)
        self._redis.hdel(WORKERS_KEY, broker_id)
        for queue_name in QUEUES:
            self._redis.hdel(idle_key(f"{NAMESPACE}:{queue_name}"), f"{queue_name}:{broker_id}")

    def read_releases(self) -> set[str]:
        """Return the releases of all workers that run now.

        Raises:
            ConnectionClosed: Redis did not answer.
        """
        with translate_transient_errors():
            reports = cast("list[bytes]", self._redis.hvals(WORKERS_KEY))
        return {json.loads(report).get("release", "") for report in reports}

    def record_isolated_attempt(self, redis_message_id: str) -> None:
        """Record, before the work, that a death of this worker is this message's doing.

        Raises:
            QueueUnreachable: Redis did not answer.
        """
        keys = [_DEATHS_PREFIX + redis_message_id]
        arguments = [MAX_WORKER_DEATHS, _DEATHS_TTL_SECONDS]
        with translate_redis_errors():
            call_script(self._redis, Call(SET_WORKER_DEATHS, keys, arguments))

    def _requeue(
        self, broker_id: str, queue_name: str, push: str, deaths_ttl: int, *ids: str | bytes
    ) -> int:
        acks, queue, bodies = _keys(broker_id, queue_name)
        keys = [queue, bodies, acks, _DEATHS_PREFIX]
        arguments = [push, NOTIFICATION_PREFIX + queue_name, deaths_ttl, *ids]
        return int(call_script(self._redis, Call(REQUEUE, keys, arguments)))


def _now_ms() -> int:
    return int(time.time() * 1000)


def _keys(broker_id: str, queue_name: str) -> tuple[str, str, str]:
    queue = f"{NAMESPACE}:{queue_name}"
    return in_flight_key(broker_id, queue_name), queue, f"{queue}.msgs"


def in_flight_key(broker_id: str, queue_name: str) -> str:
    """Return the key of the set of ids that a worker has in flight of a queue."""
    return f"{_ACKS_PREFIX}{broker_id}.{queue_name}"
