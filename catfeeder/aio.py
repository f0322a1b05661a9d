"""Client for asyncio: the verbs of `catfeeder.client`, awaited; nothing blocks the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Concatenate, Final, Generic, ParamSpec, Self, TypeVar, cast

from redis import ConnectionError as RedisConnectionError
from redis.asyncio import Redis as AsyncRedis

from catfeeder.client import require_api
from catfeeder.clock import utc_now
from catfeeder.errors import JobExpired
from catfeeder.http_api import A, ApiRequest, HttpApi
from catfeeder.logins import Login, read_login
from catfeeder.messages import MessageType
from catfeeder.queue.broker import (
    ENQUEUE_SCRIPT,
    assign_redis_id,
    build_enqueue,
    build_message,
    build_queued_job,
)
from catfeeder.queue.encoder import SealedEncoder
from catfeeder.queue.envelope import QueueSealer
from catfeeder.queue.jobs.scripts import CHANGE_SCRIPT, job_key
from catfeeder.queue.jobs.store import JobReader, JobRecord, unwrap_result
from catfeeder.queue.redis.connection import translate_redis_errors
from catfeeder.queue.waiting import JobWaiter, cancel_and_wait
from catfeeder.verbs.job_requests import JobRequest, LoginRequest
from catfeeder.verbs.table import Verbs, describe_as

P = ParamSpec("P")
R = TypeVar("R")

#: A thousand tasks that ask at once take turns on so many connections.
_MAX_CONNECTIONS: Final = 16


class AsyncJob(Generic[R]):
    """A job that was asked for; see `catfeeder.client.Job` for what each method raises."""

    def __init__(self, job_id: str, client: AsyncClient) -> None:
        self.id = job_id
        self._client = client

    async def record(self) -> JobRecord:
        """Return all that is known of the job now."""
        record = await self._client.find(self.id)
        if record is None:
            raise JobExpired
        return record

    async def cancel(self) -> bool:
        """Cancel the job; false when a worker has begun or ended it."""
        return await self._client.cancel(self.id)

    async def result(self, timeout: float = 10) -> R:  # noqa: ASYNC109
        """Wait up to `timeout` seconds for the job to end and return its result."""
        record = await self._client.wait(await self.record(), timeout)
        result: R = unwrap_result(record)
        return result


def _enqueue(
    verb: Callable[Concatenate[Any, P], JobRequest[R]],
) -> Callable[Concatenate[AsyncClient, P], Coroutine[Any, Any, AsyncJob[R]]]:
    @describe_as(verb, "AsyncJob[{}]")
    async def enqueue(self: AsyncClient, /, *args: P.args, **kwargs: P.kwargs) -> AsyncJob[R]:
        request = verb(self, *args, **kwargs)
        return await self.enqueue(request.message_type, **request.arguments)

    return enqueue


def _fetch(
    verb: Callable[Concatenate[Any, P], ApiRequest[A]],
) -> Callable[Concatenate[AsyncClient, P], Coroutine[Any, Any, A]]:
    @describe_as(verb, "{}")
    async def fetch(self: AsyncClient, /, *args: P.args, **kwargs: P.kwargs) -> A:
        return await require_api(self._api).fetch_async(verb(self, *args, **kwargs))

    return fetch


def _log_in(
    verb: Callable[Concatenate[Any, P], LoginRequest],
) -> Callable[Concatenate[AsyncClient, P], Coroutine[Any, Any, Login]]:
    @describe_as(verb, "Login")
    async def log_in(self: AsyncClient, /, *args: P.args, **kwargs: P.kwargs) -> Login:
        request = verb(self, *args, **kwargs)
        job = await self.enqueue(request.check.message_type, **request.check.arguments)
        return read_login(await job.result(request.timeout))

    return log_in


class AsyncClient:
    """Asks the auth worker for jobs; for the tasks of one event loop.

    However many tasks wait for jobs, they hold one connection among them, and no thread. Each verb
    does what that of `catfeeder.client.Client` does, and raises the same.
    """

    hash_password = _enqueue(Verbs.hash_password)
    check_password = _enqueue(Verbs.check_password)
    check_policy = _fetch(Verbs.check_policy)
    authorize = _fetch(Verbs.authorize)
    connect_session = _fetch(Verbs.connect_session)
    exchange_code = _enqueue(Verbs.exchange_code)
    user_info = _enqueue(Verbs.user_info)
    access_token = _fetch(Verbs.access_token)
    refresh_token = _enqueue(Verbs.refresh_token)
    import_connection = _fetch(Verbs.import_connection)
    verify_connection = _enqueue(Verbs.verify_connection)
    renew = _enqueue(Verbs.renew)
    revoke_connection = _enqueue(Verbs.revoke_connection)
    create_connection = _enqueue(Verbs.create_connection)
    authorize_device = _enqueue(Verbs.authorize_device)
    login = _log_in(Verbs.login)

    def __init__(self, redis: AsyncRedis, sealer: QueueSealer, api: HttpApi | None = None) -> None:
        self._redis = redis
        self._connections = asyncio.Semaphore(_MAX_CONNECTIONS)
        self._reader = JobReader(sealer)
        self._encoder = SealedEncoder(sealer)
        self._enqueue_script = redis.register_script(ENQUEUE_SCRIPT.text)
        self._change_script = redis.register_script(CHANGE_SCRIPT.text)
        self._waiter = JobWaiter(redis, self.find, self._reader.read_end)
        self._listening: asyncio.Task[None] | None = None
        self._app = sealer.own.app
        self._api = api

    def job(self, job_id: str) -> AsyncJob[Any]:
        """Return the handle of a job by its id, which need not exist."""
        return AsyncJob(job_id, self)

    async def enqueue(self, message_type: MessageType, **arguments: Any) -> AsyncJob[Any]:
        """Send a message of the catalogue; its job exists before it can start.

        Raises:
            MessageTooLarge: Its arguments are more than a message holds.
            QueueUnreachable: Redis did not answer; nothing may be assumed of the job.
        """
        message = assign_redis_id(build_message(message_type, arguments))
        is_job = message_type.is_job
        job = build_queued_job(message, utc_now(), self._app) if is_job else None
        call = build_enqueue(message, job, self._encoder)
        async with self._connection():
            try:
                await self._enqueue_script(keys=call.keys, args=call.arguments)
            except RedisConnectionError:
                # Perhaps the server has taken it: the script takes no job twice.
                if job is None:
                    raise
                await self._enqueue_script(keys=call.keys, args=call.arguments)
        return AsyncJob(message.message_id, self)

    async def find(self, job_id: str) -> JobRecord | None:
        """Return a job's record, or None when there is none (any more)."""
        async with self._connection():
            fields = await cast("Any", self._redis.hgetall(job_key(job_id)))
        return self._reader.read_hash(job_id, fields)

    async def cancel(self, job_id: str) -> bool:
        """Cancel a job that no worker has begun; false when it is too late or the job unknown."""
        record = await self.find(job_id)
        if record is None:
            return False
        change = self._reader.build_cancellation(record, utc_now())
        async with self._connection():
            return bool(await self._change_script(keys=change.keys, args=change.arguments))

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[None]:
        async with self._connections:
            with translate_redis_errors():
                yield

    async def wait(self, record: JobRecord, seconds: float) -> JobRecord:
        """Return a job once it has ended, or as it is after `seconds`."""
        if self._listening is None:
            self._listening = asyncio.create_task(self._waiter.listen())
        return await self._waiter.wait(record, seconds)

    async def aclose(self) -> None:
        """Close the connections to Redis; tasks that wait get the job as it is."""
        self._waiter.close()
        if self._listening is not None:
            await cancel_and_wait(self._listening)
        await self._redis.aclose()

    async def __aenter__(self) -> Self:
        """Return the client, which is closed at the end of the block."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close it."""
        await self.aclose()
