"""Batched enqueueing: the jobs of many requests go to Redis in one round trip (group commit)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import redis
from dramatiq import Message

from catfeeder.clock import utc_now
from catfeeder.errors import CatFeederError, QueueUnreachable
from catfeeder.messages import MessageType
from catfeeder.queue.broker import assign_redis_id, build_enqueue, build_message, build_queued_job
from catfeeder.queue.encoder import SealedEncoder
from catfeeder.queue.jobs.store import JobRecord
from catfeeder.queue.lua_scripts import Call, call_scripts
from catfeeder.queue.redis.connection import translate_redis_errors
from worker.http.asgi.batcher import Batcher

_log: Final = logging.getLogger(__name__)

CallScripts = Callable[[redis.Redis, Sequence[Call]], list[Any]]
#: Takes a message's type, app and arguments.
Admit = Callable[[MessageType, str, Mapping[str, Any]], int]


@dataclass(frozen=True, slots=True)
class _PendingMessage:
    """A message that is about to be sent, and the job that it makes."""

    message_type: MessageType
    message: Message[Any]
    job: JobRecord


class BatchingEnqueuer:
    """Seals and sends in one thread and on one connection, batch after batch."""

    def __init__(
        self,
        client: redis.Redis,
        encoder: SealedEncoder,
        admit: Admit,
        call_scripts: CallScripts = call_scripts,
    ) -> None:
        """`admit` returns what a message costs, or raises QueueOverloaded."""
        self._client = client
        self._encoder = encoder
        self._admit = admit
        self._call_scripts = call_scripts
        self._thread = ThreadPoolExecutor(1, "enqueuer")
        self._batcher = Batcher(self._send_in_thread)

    async def send(
        self, message_type: MessageType, arguments: dict[str, Any], job_id: str | None = None
    ) -> JobRecord:
        """Send a message in the name of the current requester, and return its job.

        With the id of a job that is known already, nothing is sent.

        Raises:
            QueueOverloaded: The message would wait too long.
            MessageTooLarge: No worker would accept the message.
            QueueUnreachable: Redis did not answer; the job may exist or not.
        """
        message = assign_redis_id(build_message(message_type, arguments, job_id))
        pending = _PendingMessage(message_type, message, build_queued_job(message, utc_now()))
        failure = await self._batcher.ask(pending)
        if failure is not None:
            raise failure
        return pending.job

    async def _send_in_thread(self, batch: list[_PendingMessage]) -> list[Exception | None]:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._send, batch)

    def _send(self, batch: list[_PendingMessage]) -> list[Exception | None]:
        """Return why each message was not sent; None for those that were.

        Raises:
            QueueUnreachable: Redis did not answer. One that hangs is asked once, not for each.
        """
        prepared = [self._prepare(pending) for pending in batch]
        calls = [call for call in prepared if isinstance(call, Call)]
        with translate_redis_errors():
            answers = iter(self._call(calls) if calls else ())
        return [
            self._read_answer(next(answers)) if isinstance(outcome, Call) else outcome
            for outcome in prepared
        ]

    def _call(self, calls: Sequence[Call]) -> list[Any]:
        try:
            return self._call_scripts(self._client, calls)
        except redis.ConnectionError:
            # Perhaps the server has taken them, and an error would deny that: it takes none twice.
            return self._call_scripts(self._client, calls)

    def _prepare(self, pending: _PendingMessage) -> Call | Exception:
        """Return the call that sends a message, or why this message alone is not sent."""
        try:
            cost = self._admit(pending.message_type, pending.job.app, pending.message.kwargs)
            return build_enqueue(pending.message, pending.job, self._encoder, cost, is_listed=True)
        except QueueUnreachable:
            raise
        except Exception as error:  # noqa: BLE001  Whatever it is, it is no other message's.
            return error

    def _read_answer(self, answer: Any) -> CatFeederError | None:
        if not isinstance(answer, Exception):
            return None
        try:
            with translate_redis_errors():
                raise answer
        except CatFeederError as error:
            return error
        except redis.RedisError as error:
            # It concerns this message alone: Redis took the others of the batch.
            _log.error("Redis took no message of this kind: %s.", error)
            return QueueUnreachable()

    def close(self) -> None:
        """Wait for the batch in flight, and send no more."""
        self._thread.shutdown()
