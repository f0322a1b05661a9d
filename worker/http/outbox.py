"""Sends the jobs of many requests at once: what comes during a round trip shares the next one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import redis
from dramatiq import Message

from catfeeder.broker import enqueueing, new_message, placed, queued_job
from catfeeder.encoder import SealedEncoder
from catfeeder.errors import CatFeederError, QueueUnreachable
from catfeeder.jobs import JobRecord, utc_now
from catfeeder.lua_scripts import call_scripts
from catfeeder.messages import MessageType
from catfeeder.redis_connection import unreachable_is_told
from worker.http.refusals import QueueOverloaded

_log: Final = logging.getLogger(__name__)


@dataclass(slots=True)
class _Letter:
    """A message on its way, and what came of it."""

    message_type: MessageType
    message: Message[Any]
    job: JobRecord
    posted: asyncio.Future[None]
    #: None once Redis has taken it.
    failure: CatFeederError | None = field(default_factory=QueueUnreachable)


class Outbox:
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
        self._is_out = asyncio.Lock()
        self._letters: list[_Letter] = []
        self._next: asyncio.Task[None] | None = None

    async def send(
        self, message_type: MessageType, arguments: dict[str, Any], job_id: str | None = None
    ) -> JobRecord:
        """Send a message, in the name of whoever asks for what is done now, and return its job.

        With the id of a job that is known already, nothing is sent.

        Raises:
            QueueOverloaded: It would wait too long.
            QueueUnreachable: Redis did not answer; nothing may be assumed of the job.
        """
        message = new_message(message_type, arguments, job_id)
        # One's own: who goes away takes nobody else's message along.
        posted = asyncio.get_running_loop().create_future()
        letter = _Letter(message_type, message, queued_job(message, utc_now()), posted)
        self._letters.append(letter)
        if self._next is None:
            self._next = asyncio.create_task(self._post_next())
        await posted
        if letter.failure is not None:
            raise letter.failure
        return letter.job

    async def _post_next(self) -> None:
        async with self._is_out:
            batch, self._letters, self._next = self._letters, [], None
            try:
                loop = asyncio.get_running_loop()
                if not await loop.run_in_executor(self._thread, self._post, batch):
                    # Who came meanwhile has waited for the same silence, and need not for another.
                    batch += self._letters
                    self._letters = []
            finally:
                for letter in batch:
                    if not letter.posted.done():
                        letter.posted.set_result(None)

    def _post(self, batch: list[_Letter]) -> bool:
        """Send letters and note what came of each; false where Redis did not answer."""
        try:
            accepted = [letter for letter in batch if self._is_accepted(letter)]
        except QueueUnreachable:
            # One that hangs is asked once, and not again for each letter.
            return False
        return not accepted or self._send_all(accepted)

    def _is_accepted(self, letter: _Letter) -> bool:
        try:
            self._refuse_excess(letter.message_type)
        except QueueOverloaded as refusal:
            letter.failure = refusal
            return False
        return True

    def _send_all(self, letters: list[_Letter]) -> bool:
        calls = [enqueueing(placed(one.message), one.job, self._encoder) for one in letters]
        try:
            answers = call_scripts(self._client, calls)
        except redis.RedisError:
            return False
        for letter, answer in zip(letters, answers, strict=True):
            with _noted(letter), unreachable_is_told():
                if isinstance(answer, Exception):
                    raise answer
                letter.failure = None
                self._note_depth(letter.message_type.queue, answer)
        return True

    def close(self) -> None:
        """Let what is on its way arrive, and send no more."""
        self._thread.shutdown()


@contextmanager
def _noted(letter: _Letter) -> Iterator[None]:
    try:
        yield
    except CatFeederError as error:
        letter.failure = error
    except redis.RedisError as error:
        # Of this letter alone: those beside it were taken.
        _log.error("Redis took no message of this kind: %s.", error)
