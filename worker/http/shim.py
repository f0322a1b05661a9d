"""Shared state of one web process: the clients, caches and limits that all routes use."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any

from fastapi import Depends, Request
from redis.asyncio import Redis as AsyncRedis

from actors.passwords.costs import estimate_usual_cost
from actors.telemetry.tracing import PRODUCER, span
from catfeeder.client import Client
from catfeeder.errors import JobExpired, QueueUnreachable, SealBroken
from catfeeder.messages import MessageType
from catfeeder.queue.jobs.store import JobRecord, unwrap_result
from catfeeder.queue.keys import SERVICE
from catfeeder.queue.redis.connection import connect_redis_async
from catfeeder.queue.requester import is_visible
from catfeeder.queue.waiting import JobWaiter
from catfeeder.sealing import KeyRing, Secret
from config import ConfigurationError, Settings
from worker.http.asgi.draining import Draining
from worker.http.asgi.threads import run_with_database
from worker.http.auth.api_keys import ApiKeyAuthenticator
from worker.http.auth.app_names import AppNames
from worker.http.auth.connect_cookies import ConnectCookies
from worker.http.auth.console_sessions import ConsoleSessions
from worker.http.auth.rate_limits import RateLimiter
from worker.http.auth.sign_in_cookies import SignInCookies
from worker.http.auth.wrong_keys import WrongKeyThrottle
from worker.http.jobs.admission import AdmissionControl
from worker.http.jobs.discoveries import Discoveries
from worker.http.jobs.enqueuer import BatchingEnqueuer
from worker.http.jobs.idempotency import IdempotencyKeys
from worker.http.jobs.job_reader import BatchedJobReader
from worker.http.jobs.live_workers import LiveWorkers
from worker.http.jobs.token_reader import TokenReader
from worker.http.limits import Limits
from worker.http.metrics.scrape import Metrics
from worker.queue.client import connect_queue
from worker.queue.key_list import ServingKeys, read_stored
from worker.queue.report import read_work_rates

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Shim:
    """Made once a process; a test replaces a part by `dataclasses.replace`."""

    settings: Settings
    client: Client
    redis: AsyncRedis
    rate_limiter: RateLimiter
    api_keys: ApiKeyAuthenticator
    sign_in_cookies: SignInCookies
    connect_cookies: ConnectCookies
    console_sessions: ConsoleSessions
    job_reader: BatchedJobReader
    waiter: JobWaiter
    draining: Draining
    idempotency: IdempotencyKeys
    enqueuer: BatchingEnqueuer
    metrics: Metrics
    discoveries: Discoveries
    serving_keys: ServingKeys = field(default_factory=lambda: ServingKeys(read_stored))
    limits: Limits = field(default_factory=Limits)
    live_workers: LiveWorkers = field(default_factory=LiveWorkers)
    token_reader: TokenReader = field(default_factory=TokenReader)
    app_names: AppNames = field(default_factory=AppNames)
    started_at: float = field(default_factory=time.monotonic)

    async def send(
        self, message_type: MessageType, arguments: dict[str, Any], job_id: str | None = None
    ) -> JobRecord:
        """Send a message and return its job, which gets `job_id` or a new id.

        Raises:
            ServerStopping: The process takes no new work.
            QueueOverloaded: The job would wait too long.
            QueueUnreachable: Redis did not answer.
        """
        self.draining.refuse_work()
        with span(f"send {message_type.name}", PRODUCER):
            job = await self.enqueuer.send(message_type, arguments, job_id)
        self.metrics.jobs.labels(message_type.name).inc()
        return job

    async def job(self, job_id: str) -> JobRecord:
        """Return a job.

        Raises:
            JobExpired: The id is unknown, or another app's; or no key that serves has sealed the
                answer, which another program may have forged.
            QueueUnreachable: Redis did not answer.
        """
        try:
            record = await self.job_reader.find(job_id)
            if record is None or not is_visible(record.app):
                raise JobExpired
            if record.sealed_by is not None and not record.sealed_by.is_service:
                await run_with_database(self.serving_keys.check, record.sealed_by)
        except SealBroken as error:
            # Another program on Redis can write it at any time: a traceback for each is noise.
            _LOG.warning("A job's answer is not believed: %s", error)
            raise JobExpired from None
        return record

    async def wait(self, record: JobRecord, seconds: float) -> JobRecord:
        """Return a job once it has ended, or after `seconds`.

        An end counts if it was sealed with the key that the job was asked with: that of the
        service, where this process asks. Otherwise the job is returned as it was.
        """
        ended = await self.waiter.wait(record, seconds)
        if ended.sealed_by not in (None, record.sealed_by or SERVICE):
            _LOG.warning("The end of a job is not believed: an app's key has sealed it.")
            return record
        return ended

    async def perform(self, message_type: MessageType, seconds: float, **arguments: Any) -> Any:
        """Send a message, wait for its job, and return the result.

        Raises:
            ServerStopping, QueueOverloaded, QueueUnreachable: As `send`.
            JobTimeout, JobFailed, JobCancelled: As `unwrap_result`.
        """
        record = await self.send(message_type, arguments)
        return unwrap_result(await self.wait(record, seconds))

    @property
    def uptime_seconds(self) -> float:
        """How long this process has served."""
        return time.monotonic() - self.started_at

    async def close(self) -> None:
        """Close the connections to Redis."""
        self.enqueuer.close()
        await self.redis.aclose()
        self.client.close()


def build_shim(settings: Settings) -> Shim:
    """Build all parts; nothing is connected yet.

    Raises:
        ConfigurationError: A setting that the web process needs is missing.
        QueueUnreachable: REDIS_URL is not a URL of Redis.
    """
    redis = connect_redis_async(settings.required_redis_url())
    rate_limiter = RateLimiter(redis)
    api_keys = _build_authenticator(settings, rate_limiter)
    client = connect_queue(settings)
    job_reader = BatchedJobReader(redis, client.jobs)
    waiter = JobWaiter(redis, partial(_find_if_reachable, job_reader), client.jobs.read_end)
    return Shim(
        settings=settings,
        client=client,
        redis=redis,
        rate_limiter=rate_limiter,
        api_keys=api_keys,
        sign_in_cookies=SignInCookies(settings),
        connect_cookies=ConnectCookies(settings),
        console_sessions=ConsoleSessions(settings, redis),
        job_reader=job_reader,
        waiter=waiter,
        draining=Draining(settings.server.drain_seconds, waiter.close, resume_waits=waiter.reopen),
        idempotency=IdempotencyKeys(client.redis, KeyRing(settings.secret_keys())),
        enqueuer=_build_enqueuer(settings, client),
        metrics=Metrics(client.broker, waiter.__len__),
        discoveries=Discoveries(),
    )


def _build_authenticator(settings: Settings, rate_limiter: RateLimiter) -> ApiKeyAuthenticator:
    if settings.admin_api_key is None:
        raise ConfigurationError(
            "ADMIN_API_KEY is not set: `make run` writes one to .env, or set it yourself."
        )
    admin_key = Secret(settings.admin_api_key)
    return ApiKeyAuthenticator(admin_key, rate_limiter, WrongKeyThrottle(rate_limiter))


def _build_enqueuer(settings: Settings, client: Client) -> BatchingEnqueuer:
    admission = AdmissionControl(
        settings,
        client.broker.read_backlog,
        partial(read_work_rates, client.broker, estimate_usual_cost(settings.passwords)),
    )
    return BatchingEnqueuer(client.redis, client.broker.encoder, admission.admit)


async def _find_if_reachable(job_reader: BatchedJobReader, job_id: str) -> JobRecord | None:
    try:
        return await job_reader.find(job_id)
    except (QueueUnreachable, SealBroken):
        # The job was taken in; its caller gets what is known rather than an error.
        return None


async def get_shim(request: Request) -> Shim:
    """Return the shim of the application that a request came to.

    Asynchronous like all our dependencies: FastAPI calls any other in a thread of its pool.
    """
    shim: Shim = request.app.state.shim
    return shim


ShimDependency = Annotated[Shim, Depends(get_shim)]
