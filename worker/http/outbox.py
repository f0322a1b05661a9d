"""Sends the jobs of many requests at once: what comes during a round trip shares the next one."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import redis
from dramatiq import Message

from catfeeder.broker import ENQUEUE_SCRIPT, enqueueing, new_message, placed, queued_job
from catfeeder.encoder import SealedEncoder
from catfeeder.errors import CatFeederError
from catfeeder.jobs import JobRecord, utc_now
from catfeeder.messages import MessageType
from catfeeder.redis_connection import unreachable_is_told

#: What Redis calls the script by.
_SCRIPT_NAME: Final = hashlib.sha1(ENQUEUE_SCRIPT.encode(), usedforsecurity=False).hexdigest()


@dataclass(slots=True)
class _Letter:
    """A message on its way, and what came of it."""

    message_type: MessageType
    message: Message[Any]
    job: JobRecord
    failure: CatFeederError | None = None


class Outbox:
    """Seals and sends in one thread and on one connection, batch after batch."""

    def __init__(
        self,
        client: redis.Redis,
        encoder: SealedEncoder,
        refuse_excess: Callable[[MessageType], None],
    ) -> None:
        """Take the Redis client, the encoder, and who refuses what would wait too long."""
        self._client = client
        self._encoder = encoder
        self._refuse_excess = refuse_excess
        self._thread = ThreadPoolExecutor(1, "outbox")
        self._is_out = asyncio.Lock()
        self._letters: list[_Letter] = []
        self._next: asyncio.Task[None] | None = None

    async def send(self, message_type: MessageType, arguments: dict[str, Any]) -> JobRecord:
        """Send a message, in the name of whoever asks for what is done now, and return its job.

        Raises:
            QueueOverloaded: It would wait too long.
            QueueUnreachable: Redis did not answer; nothing may be assumed of the job.
        """
        message = new_message(message_type, arguments)
        letter = _Letter(message_type, message, queued_job(message, utc_now()))
        self._letters.append(letter)
        if self._next is None:
            self._next = asyncio.create_task(self._post_next())
        # Who goes away takes nobody else's message along.
        await asyncio.shield(self._next)
        if letter.failure is not None:
            raise letter.failure
        return letter.job

    async def _post_next(self) -> None:
        async with self._is_out:
            batch, self._letters, self._next = self._letters, [], None
            await asyncio.get_running_loop().run_in_executor(self._thread, self._post, batch)

    def _post(self, batch: list[_Letter]) -> None:
        for letter in batch:
            with _noted(letter):
                self._refuse_excess(letter.message_type)
        accepted = [letter for letter in batch if letter.failure is None]
        try:
            answers = self._round_trip(accepted)
        except CatFeederError as error:
            answers = [error] * len(accepted)
        for letter, answer in zip(accepted, answers, strict=True):
            if isinstance(answer, Exception):
                with _noted(letter), unreachable_is_told():
                    raise answer

    def _round_trip(self, letters: list[_Letter]) -> list[object]:
        """Return what Redis says to each."""
        with unreachable_is_told(), self._client.pipeline(transaction=False) as pipe:
            # A server that was started anew has forgotten the script.
            pipe.script_load(ENQUEUE_SCRIPT)
            for letter in letters:
                keys, arguments = enqueueing(placed(letter.message), letter.job, self._encoder)
                pipe.evalsha(_SCRIPT_NAME, len(keys), *keys, *arguments)
            return pipe.execute(raise_on_error=False)[1:]

    def close(self) -> None:
        """Let what is on its way arrive, and send no more."""
        self._thread.shutdown()


@contextmanager
def _noted(letter: _Letter) -> Iterator[None]:
    try:
        yield
    except CatFeederError as error:
        letter.failure = error
