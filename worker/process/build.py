"""Composition root of a performing process: encoder, middleware in their order, broker, actors."""

from __future__ import annotations

import contextlib

import dramatiq
import redis
from dramatiq.middleware import AgeLimit, Middleware, Retries
from dramatiq.results import Results

from actors.passwords.costs import estimate_cost, estimate_usual_cost
from actors.registry import bind
from catfeeder.errors import OperatorError
from catfeeder.messages import PASSWORDS
from catfeeder.queue.encoder import SealedEncoder
from catfeeder.queue.jobs.store import JobStore
from catfeeder.queue.redis.connection import connect_redis
from config import Settings
from worker.consuming.broker import ConsumingBroker
from worker.consuming.heartbeats import Heartbeats, HeartbeatTiming
from worker.consuming.middleware.job_starts import JobStarts, UnrecordedStarts
from worker.consuming.middleware.jobs import JobEndings, JobResults
from worker.consuming.middleware.metrics import CountMessages
from worker.consuming.middleware.poison_messages import PoisonMessageIsolation
from worker.consuming.middleware.renewals import RenewalLifecycle
from worker.consuming.middleware.requester_context import RequesterContext
from worker.consuming.middleware.throughput import ThroughputMeter
from worker.consuming.middleware.traces import TraceMessages
from worker.queue.client import queue_sealer
from worker.queue.key_list import KeyList, ServingKeys, read_published, read_stored
from worker.telemetry.publishing import MetricsPublisher

_HEARTBEAT_TIMING = HeartbeatTiming()


def build_broker(
    settings: Settings,
    heartbeat_timing: HeartbeatTiming = _HEARTBEAT_TIMING,
    known_keys: KeyList | None = None,
) -> ConsumingBroker:
    """Return the broker, which Dramatiq uses in this process from now on.

    `known_keys` are the queue keys that serve as of now, for a process without the database.

    Raises:
        ConfigurationError: REDIS_URL or SECRET_KEY is not set.
        QueueUnreachable: REDIS_URL is not the URL of a Redis.
    """
    client = connect_redis(settings.required_redis_url())
    serving = _find_serving_keys(settings, client, known_keys)
    sealer = queue_sealer(settings, serving.check)
    encoder = SealedEncoder(sealer)
    passwords = settings.passwords
    meter = ThroughputMeter(
        lambda message: estimate_cost(message.actor_name, message.kwargs, passwords)
    )
    jobs, endings, unrecorded = JobStore(client, sealer), JobEndings(), UnrecordedStarts()
    starts = JobStarts(jobs, unrecorded)
    results = JobResults(jobs, endings, unrecorded)
    publisher = MetricsPublisher(client, "worker")
    folder = settings.var_dir / "workers"
    heartbeats = Heartbeats(folder, meter.report, heartbeat_timing, publisher, starts)
    around = [heartbeats, *_middleware(starts, results, serving, meter)]
    broker = ConsumingBroker(client, encoder, around, endings)
    broker.in_flight.usual_costs[PASSWORDS] = estimate_usual_cost(passwords)
    # Consumers decode with the process's encoder, and actors enqueue with the process's broker.
    dramatiq.set_encoder(encoder)
    dramatiq.set_broker(broker)
    bind(broker)
    return broker


def _find_serving_keys(
    settings: Settings, client: redis.Redis, known_keys: KeyList | None
) -> ServingKeys:
    """Return which queue keys serve, of the database or, in a process without, of Redis."""
    own = queue_sealer(settings)

    def read() -> KeyList | None:
        if known_keys is None:
            with contextlib.suppress(OperatorError):
                return read_stored()
        # Without the database jobs must fail with that reason, and be opened for that.
        return read_published(client, own)

    serving = ServingKeys(read, known_keys)
    if known_keys is None:
        serving.look()
    return serving


def _middleware(
    starts: JobStarts, results: JobResults, serving: ServingKeys, meter: ThroughputMeter
) -> list[Middleware]:
    """Return what surrounds each message: hooks before it run in this order, later ones reversed.

    Left out on purpose:
    - TimeLimit and ShutdownNotifications interrupt a thread between any two instructions, so also
      between a provider's answer and its storage. Requests have timeouts, hashes a capped cost.
    - Callbacks and Pipelines copy messages into others; our actors enqueue what follows themselves.
    - A database connection for a whole message would idle while a provider is awaited, and might
      be dead when the new token is to be stored. Actors open one for each transaction.
    """
    return [
        # Before all that may skip a message, since it counts the end of each.
        PoisonMessageIsolation(),
        TraceMessages(),
        meter,
        CountMessages(),
        # Early before a message and so late after it: all that is written meanwhile names both.
        RequesterContext(serving.find_maximum_rounds, serving.find_app_name),
        AgeLimit(),
        starts,
        Results(backend=results),
        # A retry is a row that falls due. Without this middleware, Dramatiq would acknowledge a
        # failed message as done.
        Retries(max_retries=0),
        RenewalLifecycle(),
    ]
