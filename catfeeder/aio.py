"""The asyncio twin of `catfeeder.client`: the same verbs, and nothing that blocks the loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Final, Generic, Self, TypeVar, cast

from redis.asyncio import Redis as AsyncRedis

from catfeeder.broker import (
    ENQUEUE_SCRIPT,
    assign_redis_id,
    build_enqueue,
    build_message,
    build_queued_job,
)
from catfeeder.client import API_SECONDS, given, wrapped
from catfeeder.clock import utc_now
from catfeeder.encoder import SealedEncoder
from catfeeder.errors import JobExpired
from catfeeder.http_api import HttpApi, authorizing, reading_token
from catfeeder.job_scripts import CHANGE_SCRIPT, build_cancellation, job_key
from catfeeder.jobs import JobReader, JobRecord, unwrap_result
from catfeeder.messages import (
    CHECK_PASSWORD,
    DISCOVER_PROVIDER,
    EXCHANGE_CODE,
    FETCH_USER_INFO,
    HASH_PASSWORD,
    REFRESH_TOKEN,
    RENEW_CONNECTION,
    REVOKE_CONNECTION,
    SHUT_DOWN,
    MessageType,
)
from catfeeder.redis_connection import translate_redis_errors
from catfeeder.results import (
    AccessToken,
    Authorization,
    Connection,
    PasswordCheck,
    PasswordHash,
    Profile,
    Revocation,
    TokenResponse,
)
from catfeeder.sealing import Sealer, Secret
from catfeeder.waiting import JobWaiter, cancel_and_wait

R = TypeVar("R")

#: A thousand tasks that ask at once take turns on so many connections.
_MOST_CONNECTIONS: Final = 16


class AsyncJob(Generic[R]):
    """A job that was asked for; see `catfeeder.client.Job` for what each method raises."""

    def __init__(self, job_id: str, client: AsyncClient) -> None:
        """Take the id, and the client that knows where to look it up."""
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


class AsyncClient:
    """Asks the auth worker for jobs; for the tasks of one event loop.

    However many wait, they hold one connection among them, and no thread. Each verb does what that
    of `catfeeder.client.Client` does, and raises the same.
    """

    def __init__(self, redis: AsyncRedis, sealer: Sealer, api: HttpApi | None = None) -> None:
        """Take the Redis client, the sealer that holds the queue key, and the way by HTTP."""
        self._redis = redis
        self._turns = asyncio.Semaphore(_MOST_CONNECTIONS)
        self._reader = JobReader(sealer)
        self._encoder = SealedEncoder(sealer)
        self._enqueue = redis.register_script(ENQUEUE_SCRIPT.text)
        self._change = redis.register_script(CHANGE_SCRIPT.text)
        self._waiting = JobWaiter(redis, self.find, self._reader.read_announcement)
        self._listening: asyncio.Task[None] | None = None
        self._api = api

    def job(self, job_id: str) -> AsyncJob[Any]:
        """Return the handle of a job by its id, which need not exist."""
        return AsyncJob(job_id, self)

    async def hash_password(
        self, password: str | bytes | Secret, rounds: int | None = None
    ) -> AsyncJob[PasswordHash]:
        """Ask for a bcrypt hash, of the service's own cost unless `rounds` says 10 to 16."""
        return await self.enqueue(HASH_PASSWORD, password=wrapped(password), rounds=rounds)

    async def check_password(
        self, password: str | bytes | Secret, password_hash: str | bytes | Secret
    ) -> AsyncJob[PasswordCheck]:
        """Ask whether a hash is of a password."""
        hashed = wrapped(password_hash)
        return await self.enqueue(CHECK_PASSWORD, password=wrapped(password), password_hash=hashed)

    async def authorize(
        self,
        provider: str,
        *,
        subject: str | None = None,
        scope: str | None = None,
        return_to: str | None = None,
        relay: bool = False,
        timeout: float = API_SECONDS,  # noqa: ASYNC109
    ) -> Authorization:
        """Begin a sign-in (RFC 6749 section 4.1.1), over HTTP: send the browser to the URL."""
        request = authorizing(provider, subject, scope, return_to, relay=relay)
        return await given(self._api).fetch_async(request, Authorization, timeout)

    async def exchange_code(
        self,
        provider: str,
        code: str | Secret,
        state: str | Secret,
        iss: str | None = None,
        user: str | Secret | None = None,
    ) -> AsyncJob[Connection]:
        """Ask to redeem an authorization code (RFC 6749 section 4.1.3).

        `user` is what Apple tells of the user beside the code, as it came. The result is the
        connection, without its tokens.
        """
        # A service of an earlier release takes no `user`, and needs none where there is none.
        more = {} if user is None else {"user": wrapped(user)}
        return await self.enqueue(
            EXCHANGE_CODE,
            provider=provider,
            code=wrapped(code),
            state=wrapped(state),
            iss=iss,
            **more,
        )

    async def user_info(
        self,
        provider: str,
        *,
        connection_id: str | None = None,
        access_token: str | Secret | None = None,
    ) -> AsyncJob[Profile]:
        """Ask for the normalised profile behind a stored connection, or behind an access token."""
        token = wrapped(access_token) if access_token is not None else None
        return await self.enqueue(
            FETCH_USER_INFO, provider=provider, connection_id=connection_id, access_token=token
        )

    async def access_token(
        self,
        connection_id: str,
        *,
        timeout: float = API_SECONDS,  # noqa: ASYNC109
    ) -> AccessToken:
        """Return a stored connection's token over HTTP, renewed first when it is stale."""
        return await given(self._api).fetch_async(
            reading_token(connection_id), AccessToken, timeout
        )

    async def refresh_token(
        self, provider: str, refresh_token: str | Secret
    ) -> AsyncJob[TokenResponse]:
        """Ask to use a refresh token (RFC 6749 section 6) that you keep yourself."""
        token = wrapped(refresh_token)
        return await self.enqueue(REFRESH_TOKEN, provider=provider, refresh_token=token)

    async def renew(self, connection_id: str) -> AsyncJob[Connection]:
        """Ask to renew a stored connection's token now."""
        return await self.enqueue(RENEW_CONNECTION, connection_id=connection_id)

    async def revoke_connection(self, connection_id: str) -> AsyncJob[Revocation]:
        """Ask to revoke a connection at its provider and erase it."""
        return await self.enqueue(REVOKE_CONNECTION, connection_id=connection_id)

    async def discover_provider(self, provider: str) -> AsyncJob[None]:
        """Ask to fetch anew what a provider's issuer publishes."""
        return await self.enqueue(DISCOVER_PROVIDER, provider=provider)

    async def shut_down(self, generation: int) -> AsyncJob[Any]:
        """Ask the whole stack of this boot generation to drain and stop."""
        return await self.enqueue(SHUT_DOWN, generation=generation)

    async def enqueue(self, message_type: MessageType, **arguments: Any) -> AsyncJob[Any]:
        """Send a message of the catalogue; its job exists before it can start.

        Raises:
            MessageTooLarge: Its arguments are more than a message holds.
            QueueUnreachable: Redis did not answer; nothing may be assumed of the job.
        """
        message = assign_redis_id(build_message(message_type, arguments))
        job = build_queued_job(message, utc_now()) if message_type.is_job else None
        call = build_enqueue(message, job, self._encoder)
        async with self._turn():
            await self._enqueue(keys=call.keys, args=call.arguments)
        return AsyncJob(message.message_id, self)

    async def find(self, job_id: str) -> JobRecord | None:
        """Return a job's record, or None when there is none (any more)."""
        async with self._turn():
            fields = await cast("Any", self._redis.hgetall(job_key(job_id)))
        return self._reader.read_hash(job_id, fields)

    async def cancel(self, job_id: str) -> bool:
        """Cancel a job that no worker has begun; false when it is too late or the job unknown."""
        change = build_cancellation(job_id, utc_now())
        async with self._turn():
            return bool(await self._change(keys=change.keys, args=change.arguments))

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        async with self._turns:
            with translate_redis_errors():
                yield

    async def wait(self, record: JobRecord, seconds: float) -> JobRecord:
        """Return a job once it has ended, or as it is after `seconds`."""
        if self._listening is None:
            self._listening = asyncio.create_task(self._waiting.listen())
        return await self._waiting.wait(record, seconds)

    async def aclose(self) -> None:
        """Close the connections to Redis; whoever waits gets the job as it is."""
        self._waiting.close()
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
