"""Messages that nobody will perform as they are: failed ones, and those that were set aside.

Dramatiq's dead-letter queue of each queue, bounded in number and time, with a word for the reason.
Bodies are sealed as they were on the queue; nothing of what they hold is told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, cast

from dramatiq import Message

from actors.errors import CursorInvalid
from catfeeder.broker import NAMESPACE, SealedBroker, queued_job
from catfeeder.clock import utc_now
from catfeeder.encoder import UnreadableMessage
from catfeeder.jobs import CHANNEL_PREFIX, job_key
from catfeeder.lua_scripts import Script
from catfeeder.messages import CATALOGUE, QUARANTINE
from catfeeder.redis_connection import unreachable_is_told
from catfeeder.requester import REQUESTER_OPTION

#: For each queue. The latest tell what is wrong; a flood must not fill the broker's memory.
MOST: Final = 1000
#: Long enough for a weekend.
TTL_SECONDS: Final = 72 * 3600

# With KEYS[4] and KEYS[5] the message is taken from those that a worker has fetched; else ARGV[6]
# is its body. Dead letters that are too old or too many make room.
_BURY: Final = Script(
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
local function forget(ids)
    for _, id in ipairs(ids) do
        redis.call('ZREM', KEYS[1], id)
        redis.call('HDEL', KEYS[2], id)
        redis.call('HDEL', KEYS[3], id)
    end
end
forget(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1] - ARGV[2] * 1000))
forget(redis.call('ZRANGE', KEYS[1], 0, -1 - ARGV[3]))
for place = 1, 3 do redis.call('EXPIRE', KEYS[place], ARGV[2]) end
return 1
""",
    runs_when_full=True,
)
# Takes one out for good; of two who try, one does.
_EXHUME: Final = """
if redis.call('ZREM', KEYS[1], ARGV[1]) == 0 then return false end
local body = redis.call('HGET', KEYS[2], ARGV[1])
redis.call('HDEL', KEYS[2], ARGV[1])
redis.call('HDEL', KEYS[3], ARGV[1])
return body
"""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """What may be told of one: its place, its reason and, where it opens, whose job it was."""

    id: str
    died_at: datetime
    #: The code of the job's error, or of why it was set aside.
    reason: str
    detail: str | None = None
    actor: str | None = None
    job_id: str | None = None


class DeadLetters:
    """The dead letters of all queues."""

    def __init__(self, broker: SealedBroker) -> None:
        """Take the broker that opens them and puts them back."""
        self._broker = broker
        self._redis = broker.client
        self._bury = broker.client.register_script(_BURY.text)
        self._exhume = broker.client.register_script(_EXHUME)

    def add(self, queue: str, letter_id: str, reason: str, body: bytes) -> None:
        """Keep a sealed message.

        Raises:
            redis.RedisError: Redis did not answer, or refused.
        """
        self._bury(keys=_keys(queue), args=[*_limits(), letter_id, reason, body])

    def bury(self, queue: str, letter_id: str, reason: str, fetched: str) -> None:
        """Keep the message of that id, which stands on a queue and in the key of those fetched.

        Raises:
            redis.RedisError: Redis did not answer, or refused.
        """
        keys = [*_keys(queue), fetched, f"{NAMESPACE}:{queue}.msgs"]
        self._bury(keys=keys, args=[*_limits(), letter_id, reason])

    def counts(self, queue: str) -> Counter[str]:
        """Return how many dead letters a queue has for each reason."""
        with unreachable_is_told():
            reasons = cast("list[bytes]", self._redis.hvals(_keys(queue)[2]))
        return Counter(reason.decode() for reason in reasons)

    def page(
        self, queue: str, cursor: str | None, limit: int
    ) -> tuple[list[DeadLetter], str | None]:
        """Return up to `limit` dead letters, the latest first, and the cursor of the next page.

        Raises:
            CursorInvalid: The cursor is none that a page gave.
            QueueUnreachable: Redis did not answer.
        """
        start = _start(cursor)
        letters, bodies, reasons = _keys(queue)
        with unreachable_is_told():
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
        page = [self._described(*facts) for facts in zip(found[:limit], kept, why, strict=True)]
        return page, str(start + limit) if len(found) > limit else None

    def _described(
        self, found: tuple[bytes, float], body: bytes | None, reason: bytes | None
    ) -> DeadLetter:
        letter_id, died_ms = found
        fields = self._message(body or b"")
        stand_in = fields["kwargs"] if fields and fields["actor_name"] == QUARANTINE.name else {}
        inner = self._message(stand_in["body"]) if stand_in else fields
        return DeadLetter(
            id=letter_id.decode(errors="replace"),
            died_at=datetime.fromtimestamp(died_ms / 1000, UTC),
            reason=(reason or b"unknown").decode(),
            detail=stand_in.get("reason"),
            actor=inner["actor_name"] if inner else None,
            job_id=inner["message_id"] if inner and _is_job(inner) else None,
        )

    def ids(self, queue: str) -> list[str]:
        """Return the ids of all of a queue's dead letters, the oldest first."""
        with unreachable_is_told():
            found = cast("list[bytes]", self._redis.zrange(_keys(queue)[0], 0, -1))
        return [letter_id.decode(errors="replace") for letter_id in found]

    def replay(self, queue: str, letter_ids: Iterable[str]) -> tuple[list[str], list[str]]:
        """Send dead letters anew; return the ids of those that were, and of those that cannot be.

        A message is as new as if it had just been asked for, under the id of its old job. One that
        does not open, or is no message of the catalogue, stays where it is.

        Raises:
            QueueUnreachable: Redis did not answer; what was not sent is still there.
        """
        sent: list[str] = []
        left: list[str] = []
        for letter_id in letter_ids:
            (sent if self._replay(queue, letter_id) else left).append(letter_id)
        return sent, left

    def _replay(self, queue: str, letter_id: str) -> bool:
        with unreachable_is_told():
            body = cast("bytes | None", self._redis.hget(_keys(queue)[1], letter_id))
        message = self._sendable(body or b"")
        if message is None:
            return False
        with unreachable_is_told():
            # What was told of the first end is not what those who wait from now on wait for.
            self._redis.delete(job_key(message.message_id), CHANNEL_PREFIX + message.message_id)
        is_job = CATALOGUE[message.actor_name].is_job
        # Sent first: whoever dies between the two has sent it twice rather than lost it.
        self._broker.enqueue(message, job=queued_job(message, utc_now()) if is_job else None)
        with unreachable_is_told():
            self._exhume(keys=_keys(queue), args=[letter_id])
        return True

    def _sendable(self, body: bytes) -> Message[Any] | None:
        fields = self._message(body)
        if fields and fields["actor_name"] == QUARANTINE.name:
            fields = self._message(fields["kwargs"]["body"])
        if fields is None or fields["actor_name"] not in CATALOGUE:
            return None
        asked_by = fields["options"].get(REQUESTER_OPTION)
        return Message(
            queue_name=CATALOGUE[fields["actor_name"]].queue,
            actor_name=fields["actor_name"],
            args=tuple(fields["args"]),
            kwargs=fields["kwargs"],
            options={} if asked_by is None else {REQUESTER_OPTION: asked_by},
            message_id=fields["message_id"],
        )

    def _message(self, body: bytes) -> dict[str, Any] | None:
        try:
            return dict(self._broker.encoder.open(body))
        except UnreadableMessage:
            return None


def _limits() -> tuple[int, int, int]:
    return int(utc_now().timestamp() * 1000), TTL_SECONDS, MOST


def _keys(queue: str) -> list[str]:
    letters = f"{NAMESPACE}:{queue}.XQ"
    return [letters, f"{letters}.msgs", f"{letters}.reasons"]


def _is_job(fields: dict[str, Any]) -> bool:
    known = CATALOGUE.get(fields["actor_name"])
    return known is not None and known.is_job


def _start(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not cursor.isdecimal() or len(cursor) > len(str(MOST)):
        raise CursorInvalid
    return int(cursor)
