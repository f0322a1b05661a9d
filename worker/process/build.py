"""Builds the broker of a process that performs: encoder, middleware in their order, actors."""

from __future__ import annotations

import dramatiq
from dramatiq.middleware import AgeLimit, Middleware, Retries
from dramatiq.results import Results

from actors.registry import bind
from catfeeder.encoder import SealedEncoder
from catfeeder.jobs import JobStore
from catfeeder.redis_connection import connect_redis
from config import Settings
from worker.consuming.broker import ConsumingBroker
from worker.consuming.heartbeats import Heartbeats
from worker.consuming.middleware.job_life import JobLife
from worker.consuming.middleware.job_results import Ends, JobResults
from worker.consuming.middleware.poison_messages import LastTrials
from worker.consuming.middleware.renewal_recovery import Recovering
from worker.consuming.middleware.renewal_stops import Shifts
from worker.consuming.middleware.requesters import Requesters
from worker.consuming.middleware.throughput import Pace
from worker.queue import queue_sealer


def build_broker(settings: Settings) -> ConsumingBroker:
    """Return the broker, which is the process's from now on.

    Raises:
        ConfigurationError: REDIS_URL or SECRET_KEY is not set.
        QueueUnreachable: REDIS_URL is not the URL of a Redis.
    """
    client = connect_redis(settings.required_redis_url())
    sealer = queue_sealer(settings)
    encoder = SealedEncoder(sealer)
    pace = Pace()
    ends: Ends = {}
    around = middleware(JobStore(client, sealer), pace, ends)
    heartbeats = Heartbeats(settings.var_dir / "workers", pace.per_second)
    broker = ConsumingBroker(client, encoder, [heartbeats, *around], ends)
    # Consumers decode with the process's encoder, and actors enqueue with the process's broker.
    dramatiq.set_encoder(encoder)
    dramatiq.set_broker(broker)
    bind(broker)
    return broker


def middleware(jobs: JobStore, pace: Pace, ends: Ends) -> list[Middleware]:
    """Return what surrounds each message: hooks before it run in this order, later ones reversed.

    Left out on purpose:
    - TimeLimit and ShutdownNotifications interrupt a thread between any two instructions, so also
      between a provider's answer and its storage. Requests have timeouts, hashes a capped cost.
    - Callbacks and Pipelines copy messages into others; ours send what follows by themselves.
    - Nothing holds a database connection for the whole of a message: while a provider is awaited
      it would be idle, and dead when the new token is to be stored. Actors hold one while they ask.
    """
    return [
        # Before all that may skip a message, since it is told of the end of each.
        LastTrials(),
        pace,
        # Early before a message and so late after it: whatever is written meanwhile names them.
        Requesters(),
        AgeLimit(),
        JobLife(jobs),
        Results(backend=JobResults(jobs, ends)),
        # What must be tried again is a row that falls due. Without this middleware a message that
        # failed would be acknowledged as done.
        Retries(max_retries=0),
        Recovering(),
        Shifts(),
    ]
