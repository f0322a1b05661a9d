"""Dead letters: messages that failed or were set aside, each with the code of the reason.

Each queue has Dramatiq's own dead-letter queue, `.XQ`, bounded in number and age. Bodies stay
sealed as they were on the queue, and nothing that they hold is shown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple, cast

from dramatiq import MessageProxy

from actors.errors import CursorInvalid
from actors.queue.bodies import DeadLetter, build_replay, describe_letter, find_app
from actors.queue.scripts import ADD, DISCARD, REPLAY
from actors.queue.spent_messages import SPENT_PREFIX, compute_spent_seconds
from catfeeder.clock import utc_now
from catfeeder.messages import CATALOGUE
from catfeeder.queue.broker import (
    NAMESPACE,
    SealedBroker,
    assign_redis_id,
    build_enqueue,
    build_queued_job,
)
from catfeeder.queue.jobs.scripts import ended_key
from catfeeder.queue.lua_scripts import Call, Script, call_script
from catfeeder.queue.redis.connection import translate_redis_errors

#: For each queue. The latest show what is wrong; a flood must not fill the broker's memory.
MAX_COUNT: Final = 1000
#: Long enough for a weekend.
TTL_SECONDS: Final = 72 * 3600


class LetterFilter(NamedTuple):
    """What dead letters are wanted; None stands for all."""

    reason: str | None = None
    actor: str | None = None
    job_id: str | None = None

    def passes(self, letter: DeadLetter) -> bool:
        """Return whether a letter is wanted."""
        return (
            self.reason in (None, letter.reason)
            and self.actor in (None, letter.actor)
            and self.job_id in (None, letter.job_id)
        )


_ALL: Final = LetterFilter()


class DeadLetters:
    """The dead letters of all queues; `broker` opens their bodies and sends them anew.

    With an `app`, those that it asked for alone are listed, sent anew or discarded; all others are
    unknown.
    """

    def __init__(
        self,
        broker: SealedBroker,
        *,
        app: str | None = None,
        maximum_count: int = MAX_COUNT,
        ttl_seconds: int = TTL_SECONDS,
    ) -> None:
        self._broker = broker
        self._redis = broker.client
        self._app = app
        self._maximum_count = maximum_count
        self._ttl_seconds = ttl_seconds

    def add(self, queue: str, letter_id: str, reason: str, body: bytes) -> None:
        """Keep a sealed message.

        Raises:
            redis.RedisError: Redis did not answer, or refused.
        """
        self._call(ADD, _keys(queue), [*self._limits(), letter_id, reason, body])

    def move_in_flight(
        self, queue: str, message: MessageProxy, reason: str, in_flight_key: str
    ) -> None:
        """Move a message from a worker's in-flight set, if it is there; its id is spent then.

        Raises:
            redis.RedisError: Redis did not answer, or refused.
        """
        letter_id = message.options["redis_message_id"]
        bodies, spent = f"{NAMESPACE}:{queue}.msgs", SPENT_PREFIX + letter_id
        keys = [*_keys(queue), in_flight_key, bodies, spent]
        seconds = compute_spent_seconds(message)
        self._call(ADD, keys, [*self._limits(), letter_id, reason, seconds])

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
        self, queue: str, cursor: str | None, limit: int, wanted: LetterFilter = _ALL
    ) -> tuple[list[DeadLetter], str | None]:
        """Return up to `limit` dead letters, the latest first, and the cursor of the next page.

        Raises:
            CursorInvalid: No earlier page gave this cursor.
            QueueUnreachable: Redis did not answer.
        """
        start = _start(cursor)
        found: list[DeadLetter] = []
        for place, letter in enumerate(self._read(queue, start, limit + 1), start):
            if self._app not in (None, letter.app) or not wanted.passes(letter):
                continue
            if len(found) == limit:
                return found, str(place)
            found.append(letter)
        return found, None

    def _read(self, queue: str, start: int, at_once: int) -> Iterator[DeadLetter]:
        """Yield what is shown of each letter from a place on, the latest first."""
        letters, bodies, reasons = _keys(queue)
        for place in range(start, self._maximum_count, at_once):
            with translate_redis_errors():
                found: list[Any] = self._redis.zrange(
                    letters, place, place + at_once - 1, desc=True, withscores=True
                )
                if not found:
                    return
                ids = [letter_id for letter_id, _ in found]
                with self._redis.pipeline(transaction=False) as pipe:
                    pipe.hmget(bodies, ids)
                    pipe.hmget(reasons, ids)
                    kept, why = pipe.execute()
            for (letter_id, died_ms), body, reason in zip(found, kept, why, strict=True):
                yield describe_letter(self._broker.encoder, letter_id, died_ms, body, reason)

    def ids(self, queue: str, wanted: LetterFilter = _ALL) -> list[str]:
        """Return the ids of all of a queue's dead letters that are wanted, the oldest first.

        Raises:
            QueueUnreachable: Redis did not answer.
        """
        if self._app is not None or wanted != _ALL:
            letters, _ = self.page(queue, None, self._maximum_count, wanted)
            return [letter.id for letter in reversed(letters)]
        with translate_redis_errors():
            found = cast("list[bytes]", self._redis.zrange(_keys(queue)[0], 0, -1))
        return [letter_id.decode(errors="replace") for letter_id in found]

    def replay(self, queue: str, letter_ids: Iterable[str]) -> tuple[list[str], list[str]]:
        """Send dead letters anew; return the ids of those sent, and of those that stay.

        A replayed message is as new as one just enqueued, under the id of its old job. One that
        does not open, or is not in the catalogue, stays; so does one whose job waits or
        runs, or has succeeded since.

        Raises:
            QueueUnreachable: Redis did not answer; what was not sent is still there.
        """
        sent: list[str] = []
        left: list[str] = []
        for letter_id in dict.fromkeys(letter_ids):
            (sent if self._replay(queue, letter_id) else left).append(letter_id)
        return sent, left

    def _replay(self, queue: str, letter_id: str) -> bool:
        body = self._read_own(queue, letter_id)
        message = build_replay(self._broker.encoder, body)
        if message is None:
            return False
        message = assign_redis_id(message)
        is_job = CATALOGUE[message.actor_name].is_job
        job = build_queued_job(message, utc_now()) if is_job else None
        sending = build_enqueue(message, job, self._broker.encoder)
        keys = [*_keys(queue), *sending.keys, *([ended_key(job.id)] if job else [])]
        with translate_redis_errors():
            return bool(self._call(REPLAY, keys, [letter_id, *sending.arguments]))

    def discard(self, queue: str, letter_ids: Iterable[str]) -> tuple[list[str], list[str]]:
        """Delete dead letters for good; return the ids of those deleted, and the unknown ones.

        Raises:
            QueueUnreachable: Redis did not answer.
        """
        deleted: list[str] = []
        unknown: list[str] = []
        for letter_id in dict.fromkeys(letter_ids):
            (deleted if self._discard(queue, letter_id) else unknown).append(letter_id)
        return deleted, unknown

    def _discard(self, queue: str, letter_id: str) -> bool:
        if self._app is not None and self._read_own(queue, letter_id) is None:
            return False
        with translate_redis_errors():
            return bool(self._call(DISCARD, _keys(queue), [letter_id]))

    def _read_own(self, queue: str, letter_id: str) -> bytes | None:
        """Return a letter's body; None where there is none, or it is another app's."""
        with translate_redis_errors():
            body = cast("bytes | None", self._redis.hget(_keys(queue)[1], letter_id))
        is_own = self._app in (None, find_app(self._broker.encoder, body))
        return body if is_own else None

    def _call(self, script: Script, keys: list[str], arguments: list[Any]) -> Any:
        return call_script(self._redis, Call(script, keys, arguments))


def _keys(queue: str) -> list[str]:
    letters = f"{NAMESPACE}:{queue}.XQ"
    return [letters, f"{letters}.msgs", f"{letters}.reasons"]


def _start(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not cursor.isdecimal() or len(cursor) > len(str(MAX_COUNT)):
        raise CursorInvalid
    return int(cursor)
