"""Asking for a job from Python, straight onto the queue."""

from __future__ import annotations

import time
from typing import Any

import redis

from catfeeder.broker import SealedBroker, new_message, queued_job
from catfeeder.encoder import SealedEncoder
from catfeeder.errors import JobCancelled, JobExpired, JobFailed, JobTimeout
from catfeeder.jobs import ENDED_TTL_SECONDS, JobRecord, JobStatus, JobStore, utc_now
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
from catfeeder.sealing import Sealer, Secret


class Job:
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

    def result(self, timeout: float = 10) -> Any:
        """Wait up to `timeout` seconds for the job to end and return its result.

        Raises:
            JobTimeout: It has not ended in time.
            JobFailed: It failed; the error carries the worker's code and sentence.
            JobCancelled: It was cancelled.
            JobExpired: It is unknown.
            QueueUnreachable: Redis did not answer.
        """
        return outcome_of(self._wait(timeout))

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


def outcome_of(record: JobRecord) -> Any:
    """Return the result of a job that was waited for.

    Raises:
        JobTimeout: It has not ended.
        JobFailed: It failed; the error carries the worker's code and sentence.
        JobCancelled: It was cancelled.
    """
    if record.error is not None:
        error = record.error
        raise JobFailed(error.code, error.detail, permanent=error.permanent)
    if record.status is JobStatus.CANCELLED:
        raise JobCancelled
    if not record.status.is_final:
        raise JobTimeout
    return record.result


class Client:
    """Asks the auth worker for jobs; safe to share between threads."""

    def __init__(self, client: redis.Redis, sealer: Sealer) -> None:
        """Take the Redis client and the sealer that holds the queue key."""
        self.redis = client
        self.jobs = JobStore(client, sealer)
        self.broker = SealedBroker(client, SealedEncoder(sealer))

    def job(self, job_id: str) -> Job:
        """Return the handle of a job by its id, which need not exist."""
        return Job(job_id, self)

    def hash_password(self, password: str | bytes, rounds: int | None = None) -> Job:
        """Ask for a bcrypt hash; the result is `{"password_hash": str}`."""
        return self.enqueue(HASH_PASSWORD, password=_wrapped(password), rounds=rounds)

    def check_password(self, password: str | bytes, password_hash: str | bytes) -> Job:
        """Ask whether the hash is of the password.

        The result is `{"valid": bool, "needs_rehash": bool}`.
        """
        hashed = _wrapped(password_hash)
        return self.enqueue(CHECK_PASSWORD, password=_wrapped(password), password_hash=hashed)

    def exchange_code(self, provider: str, code: str, state: str, iss: str | None = None) -> Job:
        """Ask to redeem an authorization code (RFC 6749 section 4.1.3).

        The result is the connection, without its tokens.
        """
        return self.enqueue(
            EXCHANGE_CODE, provider=provider, code=Secret(code), state=Secret(state), iss=iss
        )

    def fetch_user_info(
        self,
        provider: str,
        *,
        connection_id: str | None = None,
        access_token: str | Secret | None = None,
    ) -> Job:
        """Ask for the normalised profile behind a stored connection, or behind an access token."""
        token = _wrapped(access_token) if access_token is not None else None
        return self.enqueue(
            FETCH_USER_INFO, provider=provider, connection_id=connection_id, access_token=token
        )

    def refresh_token(self, provider: str, refresh_token: str) -> Job:
        """Ask to use a refresh token (RFC 6749 section 6); the result is the token response."""
        return self.enqueue(REFRESH_TOKEN, provider=provider, refresh_token=Secret(refresh_token))

    def renew_connection(self, connection_id: str) -> Job:
        """Ask to renew a stored connection's token now; the result is the connection."""
        return self.enqueue(RENEW_CONNECTION, connection_id=connection_id)

    def revoke_connection(self, connection_id: str) -> Job:
        """Ask to revoke a connection at its provider and erase it."""
        return self.enqueue(REVOKE_CONNECTION, connection_id=connection_id)

    def discover_provider(self, provider: str) -> Job:
        """Ask to fetch anew what a provider's issuer publishes; the result is None."""
        return self.enqueue(DISCOVER_PROVIDER, provider=provider)

    def shut_down(self, generation: int) -> Job:
        """Ask the whole stack of this boot generation to drain and stop."""
        return self.enqueue(SHUT_DOWN, generation=generation)

    def enqueue(self, message_type: MessageType, **arguments: Any) -> Job:
        """Send a message of the catalogue; its job exists before it can start.

        Raises:
            QueueUnreachable: Redis did not answer; nothing may be assumed of the job.
        """
        message = new_message(message_type, arguments)
        job = queued_job(message, utc_now()) if message_type.is_job else None
        self.broker.enqueue(message, job=job)
        return Job(message.message_id, self, job)

    def close(self) -> None:
        """Close the connections to Redis."""
        self.redis.close()


def _wrapped(value: str | bytes | Secret) -> Secret:
    return value if isinstance(value, Secret) else Secret.of(value)
