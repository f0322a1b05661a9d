"""Heartbeats and failure detection: requeues the messages of dead workers, and of no others.

On its own machine a worker is dead when the kernel has freed its process lock. On another machine
it is dead when its heartbeat has not changed for some seconds of uninterrupted observation. No two
clocks are compared: after a freeze of the broker or of the observer, the count starts anew. Every
worker beats for all live processes of its machine.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

import redis
from dramatiq import Broker, Middleware, Worker
from dramatiq.errors import ConnectionClosed

import catfeeder
from catfeeder.clock import utc_now
from catfeeder.errors import QueueUnreachable
from catfeeder.messages import QUEUES
from catfeeder.queue.broker import WORKERS_KEY
from catfeeder.queue.lua_scripts import Call, call_script
from catfeeder.queue.redis.faults import describe_loss
from worker.consuming.broker import ConsumingBroker
from worker.consuming.in_flight.messages import HEARTBEATS_KEY
from worker.consuming.in_flight.scripts import BEAT
from worker.consuming.middleware.job_starts import JobStarts
from worker.consuming.process_locks import ProcessLocks
from worker.consuming.releases import own_release
from worker.telemetry.process_figures import name_role
from worker.telemetry.publishing import MetricsPublisher

_LOG = logging.getLogger(__name__)
_JOIN_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class HeartbeatTiming:
    """The times of failure detection."""

    interval_seconds: float = 1.0
    #: An unchanged heartbeat is that of a dead worker from this age on.
    timeout_seconds: float = 5.0
    #: After a longer gap, the observer or the broker was frozen, and the count starts anew.
    gap_seconds: float = 3.0


class FailureDetector:
    """Observes heartbeats, and finds those that have stopped."""

    def __init__(self, timing: HeartbeatTiming) -> None:
        self._timing = timing
        #: By worker, its last heartbeat and when it was first seen.
        self._seen: dict[str, tuple[float, float]] = {}
        self._observed_at = 0.0

    def find_dead(self, heartbeats: Mapping[str, float], now: float) -> set[str]:
        """Return the workers whose heartbeat stopped; `now` is of a monotonic clock, in seconds."""
        if now - self._observed_at > self._timing.gap_seconds:
            self._seen.clear()
        self._observed_at = now
        self._seen = {
            name: self._seen[name] if self._seen.get(name, (None,))[0] == beat else (beat, now)
            for name, beat in heartbeats.items()
        }
        limit = now - self._timing.timeout_seconds
        return {name for name, (_, since) in self._seen.items() if since <= limit}


class Heartbeats(Middleware):
    """Beats for this worker and detects dead ones, in one thread."""

    def __init__(
        self,
        folder: Path,
        measure: Callable[[], Mapping[str, Mapping[str, float | None]]],
        timing: HeartbeatTiming,
        publisher: MetricsPublisher,
        starts: JobStarts,
    ) -> None:
        """`measure` returns the rates of a worker's report; `publisher` is of its metrics.

        `starts` are those of its jobs, of which some are recorded while they last.
        """
        self._locks = ProcessLocks(folder)
        self._publisher = publisher
        self._measure = measure
        self._timing = timing
        self._starts = starts
        self._detector = FailureDetector(timing)
        self._stopping = threading.Event()
        self._thread = threading.Thread()

    def after_worker_boot(self, broker: Broker, worker: Worker) -> None:
        """Acquire the process lock and begin to beat: a worker that is ready counts as live."""
        broker = cast("ConsumingBroker", broker)
        broker.stopping.clear()
        broker.worker = worker
        self._publisher.set_role(name_role(worker.consumer_whitelist or QUEUES))
        try:
            self._locks.acquire(broker.broker_id)
        except OSError as error:
            # The heartbeat alone is slower, but sufficient.
            _LOG.warning("VAR_DIR cannot be written to (%s).", error.strerror)
        self._stopping.clear()
        self._check_workers(broker)
        self._thread = threading.Thread(
            target=self._run, args=(broker,), name="heartbeats", daemon=True
        )
        self._thread.start()

    def before_worker_shutdown(self, broker: Broker, worker: Worker) -> None:  # noqa: ARG002
        """Fetch no more messages; beat on for those that are in flight."""
        broker = cast("ConsumingBroker", broker)
        broker.stopping.set()
        broker.wake_consumers()

    def after_worker_shutdown(self, broker: Broker, worker: Worker) -> None:  # noqa: ARG002
        """Sign off, unless a job was cut off: then the other workers find this process dead."""
        broker = cast("ConsumingBroker", broker)
        broker.worker = None
        self._stopping.set()
        self._thread.join(_JOIN_SECONDS)
        self._publisher.end()
        if not any(broker.processing.values()):
            try:
                broker.in_flight.forget_worker(broker.broker_id)
            except redis.RedisError:
                return
            self._locks.release()

    def _run(self, broker: ConsumingBroker) -> None:
        while not self._stopping.wait(self._timing.interval_seconds):
            self._check_workers(broker)
            self._publisher.publish()

    def _check_workers(self, broker: ConsumingBroker) -> None:
        try:
            self._requeue_from_dead_workers(broker)
            self._starts.record_lasting(utc_now())
        except (redis.RedisError, ConnectionClosed, QueueUnreachable, OSError) as error:
            _LOG.debug("Could not check the other workers: %s.", describe_loss(error))

    def _requeue_from_dead_workers(self, broker: ConsumingBroker) -> None:
        with self._locks.partition_by_liveness() as (live_here, dead_here):
            for broker_id in dead_here:
                _requeue_from(broker, broker_id)
        live = {*live_here, broker.broker_id}
        heartbeats = self._beat(broker, live)
        for broker_id in self._detector.find_dead(heartbeats, time.monotonic()) - live:
            _requeue_from(broker, broker_id)

    def _beat(self, broker: ConsumingBroker, live: set[str]) -> dict[str, float]:
        """Beat for all live processes of this machine, and return all workers' heartbeats."""
        own = {"release": own_release(), "version": catfeeder.__version__}
        report = json.dumps({**own, **self._measure()})
        arguments = [broker.broker_id, report, time.time() * 1000, *live]
        call = Call(BEAT, [HEARTBEATS_KEY, WORKERS_KEY], arguments)
        found, reporting = call_script(broker.client, call)
        names = [name.decode(errors="replace") for name in found[::2]]
        heartbeats = dict(zip(names, map(float, found[1::2]), strict=True))
        # A worker of an earlier release removes a dead worker's heartbeat, but not its report.
        for broker_id in {name.decode(errors="replace") for name in reporting} - heartbeats.keys():
            broker.in_flight.forget_worker(broker_id)
        return heartbeats


def _requeue_from(broker: ConsumingBroker, broker_id: str) -> None:
    count = broker.in_flight.requeue_from_dead_worker(broker_id)
    if count:
        _LOG.warning("A worker is dead; %d messages that it had in flight are requeued.", count)
