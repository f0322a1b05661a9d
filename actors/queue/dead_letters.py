"""Dead letters: messages that failed or were set aside, each with the code of the reason.

Each queue has Dramatiq's own dead-letter queue, `.XQ`, bounded in number and age. Bodies stay
sealed as they were on the queue, and nothing that they hold is shown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, Final, cast

from actors.errors import CursorInvalid
from actors.queue.bodies import DeadLetter, build_replay, describe_letter
from catfeeder.clock import utc_now
from catfeeder.messages import CATALOGUE
from catfeeder.queue.broker import NAMESPACE, SealedBroker, build_queued_job
from catfeeder.queue.job_scripts import CHANNEL_PREFIX, job_key
from catfeeder.queue.lua_scripts import Script
from catfeeder.queue.redis_connection import translate_redis_errors

#: For each queue. The latest show what is wrong; a flood must not fill the broker's memory.
MAX_COUNT: Final = 1000
#: Long enough for a weekend.
TTL_SECONDS: Final = 72 * 3600

# With KEYS[4] and KEYS[5] the message is moved from those that a worker has in flight; else ARGV[6]
# is its body. Dead letters that are too old or too many make room.
_ADD: Final = Script(
    """
local body = ARGV[6]
if KEYS[4] then
    if redis.call('SREM', KEYS[4], ARGV[4]) == 0 then return 0 end
    body = redis.call('HGET', KEYS[5], ARGV[4])
    if not body then return 0 end
    redis.call('HDEL', KEYS[5], ARGV[4])
end
redis.call('ZADD', KEYS[1], ARGV[1], ARGV[4])
redis.call('HSET', KEYS[2], ARGV[4], body)
redis.call('HSET', KEYS[3], ARGV[4], ARGV[5])
local function discard(ids)
    for _, id in ipairs(ids) do
        redis.call('ZREM', KEYS[1], id)
        redis.call('HDEL', KEYS[2], id)
        redis.call('HDEL', KEYS[3], id)
    end
end
discard(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1] - ARGV[2] * 1000))
discard(redis.call('ZRANGE', KEYS[1], 0, -1 - ARGV[3]))
for place = 1, 3 do redis.call('EXPIRE', KEYS[place], ARGV[2]) end
return 1
""",
    runs_when_full=True,
)


class DeadLetters:
    """The dead letters of all queues; `broker` opens their bodies and sends them anew."""

    def __init__(
        self,
        broker: SealedBroker,
        *,
        maximum_count: int = MAX_COUNT,
        ttl_seconds: int = TTL_SECONDS,
    ) -> None:
        self._broker = broker
        self._redis = broker.client
        self._add = broker.client.register_script(_ADD.text)
        self._maximum_count = maximum_count
        self._ttl_seconds = ttl_seconds

    def add(self, queue: str, letter_id: str, reason: str, body: bytes) -> None:
        """Keep a sealed message.

        Raises:
            redis.RedisError: Redis did not answer, or refused.
        """
        self._add(keys=_keys(queue), args=[*self._limits(), letter_id, reason, body])

    def move_in_flight(self, queue: str, letter_id: str, reason: str, in_flight_key: str) -> None:
        """Move the message of that id from a worker's in-flight set, if it is there.

        Raises:
            redis.RedisError: Redis did not answer, or refused.
        """
        keys = [*_keys(queue), in_flight_key, f"{NAMESPACE}:{queue}.msgs"]
        self._add(keys=keys, args=[*self._limits(), letter_id, reason])

    def _limits(self) -> tuple[int, int, int]:
        return int(utc_now().timestamp() * 1000), self._ttl_seconds, self._maximum_count

    def counts(self, queue: str) -> Counter[str]:
        """Return how many dead letters a queue has for each reason.

        Raises:
            QueueUnreachable: Redis did not answer.
        """
        with translate_redis_errors():
            reasons = cast("list[bytes]", self._redis.hvals(_keys(queue)[2]))
        return Counter(reason.decode() for reason in reasons)

    def page(
        self, queue: str, cursor: str | None, limit: int
    ) -> tuple[list[DeadLetter], str | None]:
        """Return up to `limit` dead letters, the latest first, and the cursor of the next page.

        Raises:
            CursorInvalid: No earlier page gave this cursor.
            QueueUnreachable: Redis did not answer.
        """
        start = _start(cursor)
        letters, bodies, reasons = _keys(queue)
        with translate_redis_errors():
            found: list[Any] = self._redis.zrange(
                letters, start, start + limit, desc=True, withscores=True
            )
            ids = [letter_id for letter_id, _ in found[:limit]]
            if not ids:
                return [], None
            with self._redis.pipeline(transaction=False) as pipe:
                pipe.hmget(bodies, ids)
                pipe.hmget(reasons, ids)
                kept, why = pipe.execute()
        page = [
            describe_letter(self._broker.encoder, letter_id, died_ms, body, reason)
            for (letter_id, died_ms), body, reason in zip(found[:limit], kept, why, strict=True)
        ]
        return page, str(start + limit) if len(found) > limit else None

    def ids(self, queue: str) -> list[str]:
        """Return the ids of all of a queue's dead letters, the oldest first.

        Raises:
            QueueUnreachable: Redis did not answer.
        """
        with translate_redis_errors():
            found = cast("list[bytes]", self._redis.zrange(_keys(queue)[0], 0, -1))
        return [letter_id.decode(errors="replace") for letter_id in found]

    def replay(self, queue: str, letter_ids: Iterable[str]) -> tuple[list[str], list[str]]:
        """Send dead letters anew; return the ids of those sent, and of those that stay.

        A replayed message is as new as one just enqueued, under the id of its old job. One that
        does not open, or is not in the catalogue, stays.

        Raises:
            QueueUnreachable: Redis did not answer; what was not sent is still there.
        """
        sent: list[str] = []
        left: list[str] = []
        for letter_id in letter_ids:
            (sent if self._replay(queue, letter_id) else left).append(letter_id)
        return sent, left

    def _replay(self, queue: str, letter_id: str) -> bool:
        with translate_redis_errors():
            body = cast("bytes | None", self._redis.hget(_keys(queue)[1], letter_id))
        message = build_replay(self._broker.encoder, body)
        if message is None:
            return False
        with translate_redis_errors():
            # A caller that waits from now on must not get the record of the first end.
            self._redis.delete(job_key(message.message_id), CHANNEL_PREFIX + message.message_id)
        is_job = CATALOGUE[message.actor_name].is_job
        # Sent first: a process that dies between the two has sent it twice rather than lost it.
        self._broker.enqueue(message, job=build_queued_job(message, utc_now()) if is_job else None)
        self._remove(queue, letter_id)
        return True

    def _remove(self, queue: str, letter_id: str) -> None:
        letters, bodies, reasons = _keys(queue)
        with translate_redis_errors(), self._redis.pipeline() as pipe:
            pipe.zrem(letters, letter_id)
            pipe.hdel(bodies, letter_id)
            pipe.hdel(reasons, letter_id)
            pipe.execute()


def _keys(queue: str) -> list[str]:
    letters = f"{NAMESPACE}:{queue}.XQ"
    return [letters, f"{letters}.msgs", f"{letters}.reasons"]


def _start(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not cursor.isdecimal() or len(cursor) > len(str(MAX_COUNT)):
        raise CursorInvalid
    return int(cursor)
