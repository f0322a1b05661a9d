"""Client for threads: each verb puts a message straight onto the queue, or asks over HTTP."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from types import TracebackType
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar

import redis

from catfeeder.clock import utc_now
from catfeeder.errors import ApiNotGiven, JobExpired
from catfeeder.http_api import A, ApiRequest, HttpApi
from catfeeder.logins import Login, read_login
from catfeeder.messages import MessageType
from catfeeder.queue.broker import SealedBroker, build_message, build_queued_job
from catfeeder.queue.encoder import SealedEncoder
from catfeeder.queue.envelope import QueueSealer
from catfeeder.queue.jobs.scripts import ENDED_TTL_SECONDS
from catfeeder.queue.jobs.store import JobRecord, JobStore, unwrap_result
from catfeeder.verbs.job_requests import JobRequest, LoginRequest
from catfeeder.verbs.table import Verbs, describe_as

P = ParamSpec("P")
R = TypeVar("R")


class Job(Generic[R]):
    """A job that was asked for."""

    def __init__(self, job_id: str, client: Client, queued: JobRecord | None = None) -> None:
        self.id = job_id
        #: The record as it was when this very process asked for the job.
        self.queued = queued
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
        record = self._recently_queued(timeout) or self.record()
        while not record.status.is_final and (left := deadline - time.monotonic()) > 0:
            record = self._client.jobs.await_end(record, left) or self.record()
        return record

    def _recently_queued(self, timeout: float) -> JobRecord | None:
        """Return the record as it was sent, where no look at Redis is needed before waiting.

        A wait that begins while an end would still be announced misses none.
        """
        if timeout <= 0 or self.queued is None:
            return None
        age = utc_now() - self.queued.enqueued_at
        return self.queued if age.total_seconds() < ENDED_TTL_SECONDS / 2 else None


def _enqueue(
    verb: Callable[Concatenate[Any, P], JobRequest[R]],
) -> Callable[Concatenate[Client, P], Job[R]]:
    @describe_as(verb, "Job[{}]")
    def enqueue(self: Client, /, *args: P.args, **kwargs: P.kwargs) -> Job[R]:
        request = verb(self, *args, **kwargs)
        return self.enqueue(request.message_type, **request.arguments)

    return enqueue


def _fetch(
    verb: Callable[Concatenate[Any, P], ApiRequest[A]],
) -> Callable[Concatenate[Client, P], A]:
    @describe_as(verb, "{}")
    def fetch(self: Client, /, *args: P.args, **kwargs: P.kwargs) -> A:
        return require_api(self._api).fetch(verb(self, *args, **kwargs))

    return fetch


def _log_in(
    verb: Callable[Concatenate[Any, P], LoginRequest],
) -> Callable[Concatenate[Client, P], Login]:
    @describe_as(verb, "Login")
    def log_in(self: Client, /, *args: P.args, **kwargs: P.kwargs) -> Login:
        request = verb(self, *args, **kwargs)
        job = self.enqueue(request.check.message_type, **request.check.arguments)
        return read_login(job.result(request.timeout))

    return log_in


class Client:
    """Asks the auth worker for jobs; safe to share between threads.

    A verb returns as soon as the job is on the queue, and raises QueueUnreachable if it may not be
    there; `Job.result` waits for what comes of it. `authorize` and `access_token` go over HTTP and
    return their answers; `catfeeder.http_api` says why.
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

    def __init__(
        self, client: redis.Redis, sealer: QueueSealer, api: HttpApi | None = None
    ) -> None:
        self.redis = client
        self.jobs = JobStore(client, sealer)
        self.broker = SealedBroker(client, SealedEncoder(sealer))
        self._app = sealer.own.app
        self._api = api

    def job(self, job_id: str) -> Job[Any]:
        """Return the handle of a job by its id, which need not exist."""
        return Job(job_id, self)

    def enqueue(self, message_type: MessageType, **arguments: Any) -> Job[Any]:
        """Send a message of the catalogue; its job exists before it can start.

        Raises:
            MessageTooLarge: Its arguments are more than a message holds.
            QueueUnreachable: Redis did not answer; nothing may be assumed of the job.
        """
        message = build_message(message_type, arguments)
        is_job = message_type.is_job
        job = build_queued_job(message, utc_now(), self._app) if is_job else None
        sent = self.broker.enqueue(message, job=job)
        queued = job and replace(job, redis_message_id=sent.options["redis_message_id"])
        return Job(message.message_id, self, queued)

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


def require_api(api: HttpApi | None) -> HttpApi:
    """Return the HTTP side of the service.

    Raises:
        ApiNotGiven: The client was made without one.
    """
    if api is None:
        raise ApiNotGiven
    return api
