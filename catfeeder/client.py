"""Asking for a job from Python, straight onto the queue."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import redis

from catfeeder.broker import SealedBroker, build_message, build_queued_job
from catfeeder.clock import utc_now
from catfeeder.encoder import SealedEncoder
from catfeeder.errors import ApiNotGiven, JobExpired
from catfeeder.http_api import HttpApi, authorizing, reading_token
from catfeeder.job_scripts import ENDED_TTL_SECONDS
from catfeeder.jobs import JobRecord, JobStore, unwrap_result
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

R = TypeVar("R")

#: A provider may have to be asked first, for which the service gives it 20 seconds.
API_SECONDS = 30.0


class Job(Generic[R]):
    """A job that was asked for."""

    def __init__(self, job_id: str, client: Client, asked: JobRecord | None = None) -> None:
        """Take the id, the client that knows where to look it up, and what was sent of it."""
        self.id = job_id
        #: The record as it was when this very process asked for the job.
        self.asked = asked
        self._client = client

    def record(self) -> JobRecord:
        """Return all that is known of the job now.

        Raises:
            JobExpired: The job is unknown.
            QueueUnreachable: Redis did not answer.
        """
        record = self._client.jobs.get(self.id)
        if record is None:
            raise JobExpired
        return record

    def cancel(self) -> bool:
        """Cancel the job; false when a worker has begun or ended it."""
        return self._client.jobs.cancel(self.id, utc_now())

    def result(self, timeout: float = 10) -> R:
        """Wait up to `timeout` seconds for the job to end and return its result.

        Raises:
            JobTimeout: It has not ended in time.
            JobFailed: It failed; the error carries the worker's code and sentence.
            JobCancelled: It was cancelled.
            JobExpired: It is unknown.
            QueueUnreachable: Redis did not answer.
        """
        result: R = unwrap_result(self._wait(timeout))
        return result

    def _wait(self, timeout: float) -> JobRecord:
        deadline = time.monotonic() + timeout
        record = self._as_asked(timeout) or self.record()
        while not record.status.is_final and (left := deadline - time.monotonic()) > 0:
            record = self._client.jobs.await_end(self.id, left) or self.record()
        return record

    def _as_asked(self, timeout: float) -> JobRecord | None:
        """Return the record as it was sent, where waiting can do without a look before.

        Who waits while an end is still told misses none.
        """
        if timeout <= 0 or self.asked is None:
            return None
        age = utc_now() - self.asked.enqueued_at
        return self.asked if age.total_seconds() < ENDED_TTL_SECONDS / 2 else None


class Client:
    """Asks the auth worker for jobs; safe to share between threads.

    A verb returns as soon as the job is on the queue, and raises QueueUnreachable if it may not be
    there; `Job.result` waits for what comes of it. `authorize` and `access_token` go over HTTP and
    return their answers; `catfeeder.http_api` tells why.
    """

    def __init__(self, client: redis.Redis, sealer: Sealer, api: HttpApi | None = None) -> None:
        """Take the Redis client, the sealer that holds the queue key, and the way by HTTP."""
        self.redis = client
        self.jobs = JobStore(client, sealer)
        self.broker = SealedBroker(client, SealedEncoder(sealer))
        self._api = api

    def job(self, job_id: str) -> Job[Any]:
        """Return the handle of a job by its id, which need not exist."""
        return Job(job_id, self)

    def hash_password(
        self, password: str | bytes | Secret, rounds: int | None = None
    ) -> Job[PasswordHash]:
        """Ask for a bcrypt hash, of the service's own cost unless `rounds` says 10 to 16."""
        return self.enqueue(HASH_PASSWORD, password=wrapped(password), rounds=rounds)

    def check_password(
        self, password: str | bytes | Secret, password_hash: str | bytes | Secret
    ) -> Job[PasswordCheck]:
        """Ask whether a hash is of a password."""
        hashed = wrapped(password_hash)
        return self.enqueue(CHECK_PASSWORD, password=wrapped(password), password_hash=hashed)

    def authorize(
        self,
        provider: str,
        *,
        subject: str | None = None,
        scope: str | None = None,
        return_to: str | None = None,
        relay: bool = False,
        timeout: float = API_SECONDS,
    ) -> Authorization:
        """Begin a sign-in (RFC 6749 section 4.1.1), over HTTP: send the browser to the URL.

        `subject` is your own name for the user; `scope` stands in for the provider's usual one;
        the browser ends at `return_to`, with `relay` carrying what `exchange_code` wants.

        Raises:
            ApiNotGiven: The client was made without `api_url` and `api_key`.
            RequestRefused: The service refused it, such as for an unknown provider.
            ServiceUnreachable: It did not answer within `timeout` seconds.
        """
        request = authorizing(provider, subject, scope, return_to, relay=relay)
        return given(self._api).fetch(request, Authorization, timeout)

    def exchange_code(
        self,
        provider: str,
        code: str | Secret,
        state: str | Secret,
        iss: str | None = None,
        user: str | Secret | None = None,
    ) -> Job[Connection]:
        """Ask to redeem an authorization code (RFC 6749 section 4.1.3).

        `user` is what Apple tells of the user beside the code, as it came. The result is the
        connection, without its tokens.
        """
        # A service of an earlier release takes no `user`, and needs none where there is none.
        more = {} if user is None else {"user": wrapped(user)}
        return self.enqueue(
            EXCHANGE_CODE,
            provider=provider,
            code=wrapped(code),
            state=wrapped(state),
            iss=iss,
            **more,
        )

    def user_info(
        self,
        provider: str,
        *,
        connection_id: str | None = None,
        access_token: str | Secret | None = None,
    ) -> Job[Profile]:
        """Ask for the normalised profile behind a stored connection, or behind an access token."""
        token = wrapped(access_token) if access_token is not None else None
        return self.enqueue(
            FETCH_USER_INFO, provider=provider, connection_id=connection_id, access_token=token
        )

    def access_token(self, connection_id: str, *, timeout: float = API_SECONDS) -> AccessToken:
        """Return a stored connection's token over HTTP, renewed first when it is stale.

        Raises:
            ApiNotGiven: The client was made without `api_url` and `api_key`.
            RequestRefused: The service refused it; the code `reauthorization_required` says that
                the user has to sign in again.
            ServiceUnreachable: It did not answer within `timeout` seconds.
        """
        return given(self._api).fetch(reading_token(connection_id), AccessToken, timeout)

    def refresh_token(self, provider: str, refresh_token: str | Secret) -> Job[TokenResponse]:
        """Ask to use a refresh token (RFC 6749 section 6) that you keep yourself."""
        return self.enqueue(REFRESH_TOKEN, provider=provider, refresh_token=wrapped(refresh_token))

    def renew(self, connection_id: str) -> Job[Connection]:
        """Ask to renew a stored connection's token now."""
        return self.enqueue(RENEW_CONNECTION, connection_id=connection_id)

    def revoke_connection(self, connection_id: str) -> Job[Revocation]:
        """Ask to revoke a connection at its provider and erase it."""
        return self.enqueue(REVOKE_CONNECTION, connection_id=connection_id)

    def discover_provider(self, provider: str) -> Job[None]:
        """Ask to fetch anew what a provider's issuer publishes."""
        return self.enqueue(DISCOVER_PROVIDER, provider=provider)

    def shut_down(self, generation: int) -> Job[Any]:
        """Ask the whole stack of this boot generation to drain and stop."""
        return self.enqueue(SHUT_DOWN, generation=generation)

    def enqueue(self, message_type: MessageType, **arguments: Any) -> Job[Any]:
        """Send a message of the catalogue; its job exists before it can start.

        Raises:
            MessageTooLarge: Its arguments are more than a message holds.
            QueueUnreachable: Redis did not answer; nothing may be assumed of the job.
        """
        message = build_message(message_type, arguments)
        job = build_queued_job(message, utc_now()) if message_type.is_job else None
        self.broker.enqueue(message, job=job)
        return Job(message.message_id, self, job)

    def close(self) -> None:
        """Close the connections to Redis."""
        self.redis.close()

    def __enter__(self) -> Self:
        """Return the client, which is closed at the end of the block."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()


def given(api: HttpApi | None) -> HttpApi:
    """Return the way by HTTP.

    Raises:
        ApiNotGiven: There is none.
    """
    if api is None:
        raise ApiNotGiven
    return api


def wrapped(value: str | bytes | Secret) -> Secret:
    """Return a value as one that nothing prints."""
    return value if isinstance(value, Secret) else Secret.of(value)
