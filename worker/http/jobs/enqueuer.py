"""Sends the jobs of many requests at once: what comes during a round trip shares the next one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import redis
from dramatiq import Message

from catfeeder.broker import assign_redis_id, build_enqueue, build_message, build_queued_job
from catfeeder.clock import utc_now
from catfeeder.encoder import SealedEncoder
from catfeeder.errors import CatFeederError, QueueUnreachable
from catfeeder.jobs import JobRecord
from catfeeder.lua_scripts import call_scripts
from catfeeder.messages import MessageType
from catfeeder.redis_connection import translate_redis_errors
from worker.http.asgi.batching import Batcher
from worker.http.errors.refusals import QueueOverloaded

_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _PendingMessage:
    """A message on its way, and the job that it makes."""

    message_type: MessageType
    message: Message[Any]
    job: JobRecord


class BatchingEnqueuer:
    """Seals and sends in one thread and on one connection, batch after batch."""

    def __init__(
        self,
        client: redis.Redis,
        encoder: SealedEncoder,
        refuse_excess: Callable[[MessageType], None],
        note_depth: Callable[[str, int], None],
    ) -> None:
        """Take the Redis client, the encoder, who refuses what would wait too long, and who is told
        how many messages wait on a queue.
        """
        self._client = client
        self._encoder = encoder
        self._refuse_excess = refuse_excess
        self._note_depth = note_depth
        self._thread = ThreadPoolExecutor(1, "outbox")
        self._batches = Batcher(self._posted)

    async def send(
        self, message_type: MessageType, arguments: dict[str, Any], job_id: str | None = None
    ) -> JobRecord:
        """Send a message, in the name of whoever asks for what is done now, and return its job.

        With the id of a job that is known already, nothing is sent.

        Raises:
            QueueOverloaded: It would wait too long.
            QueueUnreachable: Redis did not answer; nothing may be assumed of the job.
        """
        message = build_message(message_type, arguments, job_id)
        letter = _PendingMessage(message_type, message, build_queued_job(message, utc_now()))
        failure = await self._batches.ask(letter)
        if failure is not None:
            raise failure
        return letter.job

    async def _posted(self, letters: list[_PendingMessage]) -> list[CatFeederError | None]:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._post, letters)

    def _post(self, letters: list[_PendingMessage]) -> list[CatFeederError | None]:
        """Return what has hindered each letter, if anything.

        Raises:
            QueueUnreachable: Redis did not answer. One that hangs is asked once, not for each.
        """
        refusals = [self._refusal(letter) for letter in letters]
        accepted = [one for one, refusal in zip(letters, refusals, strict=True) if not refusal]
        failures = iter(self._send_all(accepted) if accepted else [])
        return [refusal or next(failures) for refusal in refusals]

    def _refusal(self, letter: _PendingMessage) -> QueueOverloaded | None:
        try:
            self._refuse_excess(letter.message_type)
        except QueueOverloaded as refusal:
            return refusal
        return None

    def _send_all(self, letters: list[_PendingMessage]) -> list[CatFeederError | None]:
        calls = [
            build_enqueue(assign_redis_id(one.message), one.job, self._encoder) for one in letters
        ]
        with translate_redis_errors():
            answers = call_scripts(self._client, calls)
        return [self._failure(*each) for each in zip(letters, answers, strict=True)]

    def _failure(self, letter: _PendingMessage, answer: Any) -> CatFeederError | None:
        if not isinstance(answer, Exception):
            self._note_depth(letter.message_type.queue, answer)
            return None
        try:
            with translate_redis_errors():
                raise answer
        except CatFeederError as error:
            return error
        except redis.RedisError as error:
            # Of this letter alone: those beside it were taken.
            _log.error("Redis took no message of this kind: %s.", error)
            return QueueUnreachable()

    def close(self) -> None:
        """Let what is on its way arrive, and send no more."""
        self._thread.shutdown()
