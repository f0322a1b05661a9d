"""Batched enqueueing: the jobs of many requests go to Redis in one round trip (group commit)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, Protocol

import redis
from dramatiq import Message

from catfeeder.clock import utc_now
from catfeeder.errors import CatFeederError, QueueUnreachable
from catfeeder.messages import MessageType
from catfeeder.queue.broker import assign_redis_id, build_enqueue, build_message, build_queued_job
from catfeeder.queue.encoder import SealedEncoder
from catfeeder.queue.jobs.store import JobRecord
from catfeeder.queue.lua_scripts import Call
from catfeeder.queue.redis.connection import translate_redis_errors
from worker.http.asgi.batcher import Batcher
from worker.http.jobs.script_caller import ScriptCaller

_log: Final = logging.getLogger(__name__)

CallScripts = Callable[[Sequence[Call]], Awaitable[list[Any]]]


class Admit(Protocol):
    """What is asked before a message is sent."""

    def __call__(
        self,
        message_type: MessageType,
        app: str,
        arguments: Mapping[str, Any],
        /,
        *,
        may_ask: bool,
    ) -> int | None:
        """Return what a message costs; None where Redis must be asked first, and it may not.

        Raises:
            QueueOverloaded: It is not admitted.
            QueueUnreachable: Redis did not answer.
        """


@dataclass(frozen=True, slots=True)
class _PendingMessage:
    """A message that is about to be sent, and the job that it makes."""

    message_type: MessageType
    message: Message[Any]
    job: JobRecord


class BatchingEnqueuer:
    """Sends from the event loop, batch after batch; a thread does what may block it."""

    def __init__(
        self,
        client: redis.Redis,
        encoder: SealedEncoder,
        admit: Admit,
        call_scripts: CallScripts | None = None,
    ) -> None:
        """Send by `client`, or by `call_scripts`, what `admit` lets pass."""
        self._encoder = encoder
        self._admit = admit
        self._thread = ThreadPoolExecutor(1, "enqueuer")
        self._call_scripts = call_scripts or ScriptCaller(client, self._thread).call
        self._batcher = Batcher(self._send)

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

    async def _send(self, batch: list[_PendingMessage]) -> list[Exception | None]:
        """Return why each message was not sent; None for those that were.

        Raises:
            QueueUnreachable: Redis did not answer. One that hangs is asked once, not for each.
        """
        prepared = [self._prepare(pending, may_ask=False) for pending in batch]
        if None in prepared:
            prepared = await asyncio.get_running_loop().run_in_executor(
                self._thread, self._prepare_rest, batch, prepared
            )
        calls = [call for call in prepared if isinstance(call, Call)]
        with translate_redis_errors():
            answers = iter(await self._call(calls) if calls else ())
        return [
            self._read_answer(next(answers)) if isinstance(outcome, Call) else outcome
            for outcome in prepared
        ]

    async def _call(self, calls: Sequence[Call]) -> list[Any]:
        try:
            return await self._call_scripts(calls)
        except redis.ConnectionError:
            # Perhaps the server has taken them, and an error would deny that: it takes none twice.
            return await self._call_scripts(calls)

    def _prepare_rest(
        self, batch: list[_PendingMessage], prepared: Sequence[Call | Exception | None]
    ) -> list[Call | Exception | None]:
        return [
            outcome or self._prepare(pending, may_ask=True)
            for pending, outcome in zip(batch, prepared, strict=True)
        ]

    def _prepare(self, pending: _PendingMessage, *, may_ask: bool) -> Call | Exception | None:
        """Return the call that sends a message, or why this message alone is not sent.

        None stands for a message of which Redis must be asked first.
        """
        arguments = pending.message.kwargs
        try:
            cost = self._admit(pending.message_type, pending.job.app, arguments, may_ask=may_ask)
            if cost is None:
                return None
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
