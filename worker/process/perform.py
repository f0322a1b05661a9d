"""`python -m worker perform`: one process that performs the messages of its queues.

Dramatiq's own command starts a master and a child for the same, with twice the memory. Here the
process manager supervises the one process.
"""

from __future__ import annotations

import gc
import logging
import math
import os
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager, nullcontext
from typing import Final, cast

from dramatiq import Worker

from actors.passwords.breaches.lists import open_breach_list
from actors.passwords.memory import share_one_arena
from catfeeder.clock import utc_now
from catfeeder.errors import CatFeederError
from catfeeder.messages import OAUTH, PASSWORDS, QUEUES, RENEWALS
from catfeeder.queue.redis.connection import connect_redis
from config import ConfigurationError, Settings, current_settings
from worker.consuming.broker import ConsumingBroker
from worker.consuming.heartbeats import HeartbeatTiming
from worker.consuming.start_checks.abilities import check_if_reachable
from worker.consuming.work_queue import WorkQueue
from worker.process.build import build_broker
from worker.process.exposures import warn_of_exposures
from worker.process.logs import set_up_logging
from worker.process.own_secrets import drop_other_secrets
from worker.process.readiness import report_ready
from worker.process.signals import StopSignals
from worker.queue.client import queue_sealer
from worker.queue.key_list import UNKNOWN, KeyList, publish, read_stored
from worker.telemetry.process_figures import name_role
from worker.telemetry.switch import start_tracing

_LOG = logging.getLogger(__name__)

#: The share of a process's slots that renewals leave to sign-ins: a slow provider's renewals would
#: occupy all of them.
_RESERVED_SHARE: Final = 1 / 4
#: How long a consumer sleeps at most, should its notification be lost with a connection.
_POLL_MS: Final = 5000
_HEARTBEAT_TIMING: Final = HeartbeatTiming()


def perform_messages(
    queues: list[str],
    threads: int,
    prefetch: int,
    grace_seconds: float,
    *,
    per_app: int = 0,
    schedule: bool,
    heartbeat_timing: HeartbeatTiming = _HEARTBEAT_TIMING,
) -> int:
    """Perform messages until a signal requests a stop, finish the jobs in hand, return the status.

    A job that exceeds the grace is delivered again. A second signal cuts all jobs off at once.
    With `per_app` other than 0 it performs at most so many messages of one app at once.
    With `schedule` the process emits the schedule as well.

    Raises:
        CatFeederError: A setting cannot be used; the message names it.
    """
    # Without SECRET_KEY, a process of the passwords cannot tell whether it is the service's.
    check = _join_and_publish if set(queues) == {PASSWORDS} else None
    drop_other_secrets(queues, schedules=schedule, check=check)
    if PASSWORDS in queues:
        share_one_arena()
    signals = StopSignals()
    broker = _build_joined_broker(queues, heartbeat_timing)
    _limit_concurrency(broker, queues, prefetch, per_app)
    worker = start_worker(broker, threads, prefetch, set(queues))
    _LOG.info("Ready for the messages of %s.", ", ".join(queues))
    _freeze_loaded_code()
    with _emitting_schedule() if schedule else nullcontext():
        report_ready()
        signals.wait()
    stop_worker(worker, grace_seconds)
    broker.close()
    return 0


def _build_joined_broker(queues: Collection[str], timing: HeartbeatTiming) -> ConsumingBroker:
    settings, known_keys = _join_service(queues)
    broker = build_broker(settings, timing, known_keys)
    check_if_reachable(broker.client)
    return broker


def _freeze_loaded_code() -> None:
    """Keep what is loaded: no garbage collection needs to scan it again while a job waits."""
    gc.collect()
    gc.freeze()


def _limit_concurrency(
    broker: ConsumingBroker, queues: Collection[str], prefetch: int, per_app: int
) -> None:
    """Leave slots to sign-ins beside renewals, and to other apps beside each."""
    broker.in_flight.app_limits |= dict.fromkeys(queues, per_app)
    if len(queues) > 1:
        reserved = math.ceil(prefetch * _RESERVED_SHARE)
        broker.concurrency_limits[RENEWALS] = max(1, prefetch - reserved)


def start_worker(
    broker: ConsumingBroker,
    threads: int,
    prefetch: int,
    queues: Collection[str] | None = None,
    poll_ms: int = _POLL_MS,
) -> Worker:
    """Start threads that perform the messages of some queues, or of all, and return the worker."""
    worker = Worker(
        broker,
        queues=None if queues is None else set(queues),
        worker_threads=threads,
        worker_timeout=poll_ms,
    )
    worker.queue_prefetch = prefetch
    worker.work_queue = WorkQueue()
    worker.start()
    return worker


def stop_worker(worker: Worker, grace_seconds: float) -> None:
    """Finish the jobs in hand, up to the grace, and requeue the rest."""
    for thread in worker.workers:
        thread.stop()
    cast("WorkQueue", worker.work_queue).close()
    worker.stop(timeout=round(grace_seconds * 1000))


@contextmanager
def _emitting_schedule() -> Iterator[None]:
    from worker.crons import Crons

    crons = Crons(debug=current_settings().debug.debug)
    crons.inject_crons()
    yield
    crons.stop()


def _join_service(queues: Collection[str]) -> tuple[Settings, KeyList | None]:
    """Check the settings, the database and its SECRET_KEY; return the settings.

    With them come the queue keys that serve, for a process that goes on without the database.
    """
    if unknown := set(queues) - set(QUEUES):
        raise ConfigurationError(f"--queues must be of {QUEUES}, which {unknown} is not.")
    settings = current_settings()
    set_up_logging(settings)
    start_tracing(name_role(queues))
    warn_of_exposures(settings)
    if PASSWORDS in queues:
        open_breach_list(settings.passwords)
    if set(queues) == {PASSWORDS}:
        # With the keys of the queue alone there is no database to join.
        known = UNKNOWN if settings.secret_key is None else _join_in_child(settings)
        return settings, known
    _join(settings)
    _add_presets(queues)
    return settings, None


def _add_presets(queues: Collection[str]) -> None:
    """Make the environment's presets known, as the web process does: there may be none."""
    if {OAUTH, RENEWALS} & set(queues):
        from actors.providers.config.configured_presets import add_configured_presets

        add_configured_presets(utc_now())


def _join(settings: Settings) -> None:
    # Imported here, so that a process that hashes passwords loads no tables.
    from models.db.database import open_database
    from models.migrate import join_service

    open_database(settings)
    join_service(utc_now())


def _join_and_publish(settings: Settings) -> None:
    """Join, and publish which queue keys serve: what this process becomes has no database."""
    _join(settings)
    publish(connect_redis(settings.required_redis_url()), queue_sealer(settings))


def _join_in_child(settings: Settings) -> KeyList:
    """Join in a forked process that ends, since hashing needs no tables and none of their memory.

    Without the check, a process with another SECRET_KEY would quarantine every message.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os._exit(_try_to_join(settings, writer))
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        written = pipe.read()
    _, status = os.waitpid(child, 0)
    if status != 0:
        sys.exit(1)
    return KeyList.from_json(written)


def _try_to_join(settings: Settings, writer: int) -> int:
    try:
        _join(settings)
        with os.fdopen(writer, "wb") as pipe:
            pipe.write(read_stored().to_json())
    except CatFeederError as error:
        print(error, file=sys.stderr, flush=True)
        return 1
    return 0
