"""What workers have fetched and not acknowledged, as Redis keeps account of it."""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, cast

import redis
from dramatiq.errors import ConnectionClosed

from catfeeder.broker import NAMESPACE, NOTIFICATION_PREFIX, WORKERS_KEY
from catfeeder.lua_scripts import Call, call_script, call_scripts
from catfeeder.redis_connection import is_transient, translate_redis_errors
from worker.consuming.scripts import ACKNOWLEDGE, END, FETCH, GIVE_BACK, NOTE_ENDS

#: Dramatiq's sorted set of its brokers that consume, by when each was last heard of.
HEARTBEATS_KEY: Final = f"{NAMESPACE}:__heartbeats__"
_ACKS_PREFIX: Final = f"{NAMESPACE}:__acks__."
_ENDS_PREFIX: Final = f"{NAMESPACE}:ends:"
_ENDS_TTL_SECONDS: Final = 24 * 3600
#: How often a message may be in hand when its worker ends, the last time with nothing beside it.
MOST_ENDS: Final = 3


@contextmanager
def passing_faults_are_lost_connections() -> Iterator[None]:
    """Let Dramatiq, which waits for lost connections alone, know what else it can wait for."""
    try:
        yield
    except redis.RedisError as error:
        if not is_transient(error):
            raise
        raise ConnectionClosed(f"{type(error).__name__}: {error}") from error


@dataclass(frozen=True, slots=True)
class Fetched:
    """What stands on a queue under an id, and how many workers have ended with it in hand."""

    id: bytes
    body: bytes | None
    ends: int


class Holdings:
    """Moves messages between queues and workers, each worker named by Dramatiq's broker_id."""

    def __init__(self, client: redis.Redis) -> None:
        """Take the Redis client."""
        self._redis = client

    def take(
        self, broker_id: str, queue_name: str, count: int, in_hand: Collection[str]
    ) -> list[Fetched]:
        """Fetch up to `count` messages, and with them what a lost answer has left behind.

        Raises:
            ConnectionClosed: Redis did not answer.
        """
        with passing_faults_are_lost_connections():
            return _fetched(
                call_script(self._redis, _fetching(broker_id, queue_name, count, in_hand))
            )

    def settle(
        self,
        broker_id: str,
        queue_name: str,
        redis_message_id: str,
        *,
        end: Call | None,
        count: int,
        in_hand: Collection[str],
    ) -> list[Fetched]:
        """Let a job end, take its message off the queue for good, and fetch up to `count` others.

        Raises:
            ConnectionClosed: Redis did not answer; each of these can be done again.
        """
        acks, _, bodies = _keys(broker_id, queue_name)
        if end is None:
            calls = [Call(ACKNOWLEDGE, [acks, bodies], [redis_message_id])]
        else:
            arguments = [redis_message_id, *end.arguments]
            calls = [Call(END, [acks, bodies, *end.keys], arguments)]
        if count:
            calls.append(_fetching(broker_id, queue_name, count, in_hand))
        with passing_faults_are_lost_connections():
            answers = call_scripts(self._redis, calls)
            for answer in answers:
                if isinstance(answer, Exception):
                    raise answer
        return _fetched(answers[-1]) if count else []

    def give_back(
        self,
        broker_id: str,
        queue_name: str,
        ids: Collection[str | bytes],
        *,
        at_the_tail: bool = False,
    ) -> None:
        """Put messages back to where they were taken, or behind all others and without a ring.

        Raises:
            ConnectionClosed: Redis did not answer.
        """
        if ids:
            push = "RPUSH" if at_the_tail else "LPUSH"
            with passing_faults_are_lost_connections():
                self._put_back(broker_id, queue_name, push, 0, *ids)

    def reclaim(self, broker_id: str) -> int:
        """Put back all that a worker held when it ended, and return how many messages that are.

        Raises:
            redis.RedisError: Redis did not answer.
        """
        # Of queues, too, that only another version of the service knows.
        prefix = f"{_ACKS_PREFIX}{broker_id}."
        keys = cast("Iterator[bytes]", self._redis.scan_iter(match=f"{prefix}*", count=1000))
        names = [key.decode(errors="replace") for key in keys]
        queues = [name.removeprefix(prefix) for name in names if name.startswith(prefix)]
        count = sum(
            self._put_back(broker_id, queue, "LPUSH", _ENDS_TTL_SECONDS) for queue in queues
        )
        self.forget(broker_id)
        return count

    def forget(self, broker_id: str) -> None:
        """Strike a worker that holds nothing off the list of those that work.

        Raises:
            redis.RedisError: Redis did not answer.
        """
        self._redis.zrem(HEARTBEATS_KEY, broker_id)
        self._redis.hdel(WORKERS_KEY, broker_id)

    def releases(self) -> set[str]:
        """Return the releases of the service that work now.

        Raises:
            ConnectionClosed: Redis did not answer.
        """
        with passing_faults_are_lost_connections():
            told = cast("list[bytes]", self._redis.hvals(WORKERS_KEY))
        return {json.loads(text).get("release", "") for text in told}

    def note_last_trial(self, redis_message_id: str) -> None:
        """Note before the work that its worker's end, should it end now, is this message's doing.

        Raises:
            QueueUnreachable: Redis did not answer.
        """
        keys = [_ENDS_PREFIX + redis_message_id]
        with translate_redis_errors():
            call_script(self._redis, Call(NOTE_ENDS, keys, [MOST_ENDS, _ENDS_TTL_SECONDS]))

    def _put_back(
        self, broker_id: str, queue_name: str, push: str, ends_ttl: int, *ids: str | bytes
    ) -> int:
        acks, queue, bodies = _keys(broker_id, queue_name)
        keys = [acks, queue, bodies, _ENDS_PREFIX]
        arguments = [push, NOTIFICATION_PREFIX + queue_name, ends_ttl, *ids]
        return int(call_script(self._redis, Call(GIVE_BACK, keys, arguments)))


def _fetching(broker_id: str, queue_name: str, count: int, in_hand: Collection[str]) -> Call:
    acks, queue, bodies = _keys(broker_id, queue_name)
    keys = [queue, bodies, acks, HEARTBEATS_KEY, _ENDS_PREFIX]
    return Call(FETCH, keys, [int(time.time() * 1000), broker_id, count, *in_hand])


def _fetched(found: list[Any]) -> list[Fetched]:
    triples = zip(found[::3], found[1::3], found[2::3], strict=True)
    return [Fetched(found_id, body, int(ends or 0)) for found_id, body, ends in triples]


def _keys(broker_id: str, queue_name: str) -> tuple[str, str, str]:
    queue = f"{NAMESPACE}:{queue_name}"
    return fetched_key(broker_id, queue_name), queue, f"{queue}.msgs"


def fetched_key(broker_id: str, queue_name: str) -> str:
    """Return the key of the set of what a worker has fetched from a queue."""
    return f"{_ACKS_PREFIX}{broker_id}.{queue_name}"
