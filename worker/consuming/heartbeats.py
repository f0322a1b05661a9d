"""Tells the workers that live from those that have died, and gives the messages of these to others.

On one machine the kernel tells, within a second, whatever is paused or frozen meanwhile. Of another
machine's workers the heartbeat tells: one is dead whose heartbeat has not changed for some seconds,
in which we have looked all the time. No two clocks are compared, and a broker that was frozen, or
we ourselves, begin to count anew. What lives on a machine is vouched for by all who live there.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, cast

import redis
from dramatiq import Broker, Middleware, Worker
from dramatiq.errors import ConnectionClosed

from catfeeder.broker import WORKERS_KEY
from catfeeder.lua_scripts import Call, call_script
from worker.consuming.broker import ConsumingBroker
from worker.consuming.in_flight import HEARTBEATS_KEY
from worker.consuming.process_locks import ProcessLocks
from worker.consuming.releases import own_release
from worker.consuming.scripts import BEAT

_LOG = logging.getLogger(__name__)
_LOOK_SECONDS: Final = 1.0
#: A heartbeat that has not changed for so long is that of a dead worker.
_SILENT_SECONDS: Final = 5.0
#: Who has not looked for so long was frozen, or the broker was; nobody else is to blame for it.
_FROZEN_SECONDS: Final = 3.0
_END_SECONDS: Final = 2.0


class Silence:
    """How long each heartbeat has not changed, as seen by one who looks again and again."""

    def __init__(self) -> None:
        """Begin without having seen any."""
        self._seen: dict[str, tuple[float, float]] = {}
        self._looked_at = 0.0

    def of(self, heartbeats: Mapping[str, float], now: float) -> set[str]:
        """Return whose heartbeat has been the same for too long; `now` is of a monotonic clock."""
        if now - self._looked_at > _FROZEN_SECONDS:
            self._seen.clear()
        self._looked_at = now
        self._seen = {
            name: self._seen[name] if self._seen.get(name, (None,))[0] == beat else (beat, now)
            for name, beat in heartbeats.items()
        }
        return {name for name, (_, since) in self._seen.items() if now - since >= _SILENT_SECONDS}


class Heartbeats(Middleware):
    """Beats for a worker, and buries others, in one thread."""

    def __init__(self, folder: Path, paces: Callable[[], Mapping[str, float | None]]) -> None:
        """Take the folder of the machine's processes, and what tells how fast this one works."""
        self._locks = ProcessLocks(folder)
        self._paces = paces
        self._silence = Silence()
        self._stopping = threading.Event()
        self._thread = threading.Thread()

    def after_worker_boot(self, broker: Broker, worker: Worker) -> None:  # noqa: ARG002
        """Begin to beat."""
        broker = cast("ConsumingBroker", broker)
        broker.stopping.clear()
        try:
            self._locks.hold(broker.broker_id)
        except OSError as error:
            # Then the heartbeat alone tells; that is slower, and all.
            _LOG.warning("VAR_DIR cannot be written to (%s).", error.strerror)
        self._stopping.clear()
        self._thread = threading.Thread(
            target=self._run, args=(broker,), name="heartbeats", daemon=True
        )
        self._thread.start()

    def before_worker_shutdown(self, broker: Broker, worker: Worker) -> None:  # noqa: ARG002
        """Take no more messages; what is in hand is still ours, so the heart goes on."""
        broker = cast("ConsumingBroker", broker)
        broker.stopping.set()
        broker.wake_all()

    def after_worker_shutdown(self, broker: Broker, worker: Worker) -> None:  # noqa: ARG002
        """Leave, unless a job was cut off: the process ends now, and then others find it dead."""
        broker = cast("ConsumingBroker", broker)
        self._stopping.set()
        self._thread.join(_END_SECONDS)
        if not any(broker.in_hand.values()):
            try:
                broker.holdings.forget(broker.broker_id)
            except redis.RedisError:
                return
            self._locks.release()

    def _run(self, broker: ConsumingBroker) -> None:
        while not self._stopping.is_set():
            try:
                self._look(broker)
            except (redis.RedisError, ConnectionClosed, OSError) as error:
                _LOG.debug("Could not look after the other workers: %s.", type(error).__name__)
            self._stopping.wait(_LOOK_SECONDS)

    def _look(self, broker: ConsumingBroker) -> None:
        with self._locks.roll_call() as (living_here, dead_here):
            for broker_id in dead_here:
                _bury(broker, broker_id)
        living = {*living_here, broker.broker_id}
        heartbeats = self._beat(broker, living)
        for broker_id in self._silence.of(heartbeats, time.monotonic()) - living:
            _bury(broker, broker_id)

    def _beat(self, broker: ConsumingBroker, living: set[str]) -> dict[str, float]:
        """Beat for all who live here, and return everybody's heartbeats."""
        told = json.dumps({"release": own_release(), "per_second": self._paces()})
        arguments = [broker.broker_id, told, time.time() * 1000, *living]
        beat = Call(BEAT, [HEARTBEATS_KEY, WORKERS_KEY], arguments)
        found, known = call_script(broker.client, beat)
        names = [name.decode(errors="replace") for name in found[::2]]
        heartbeats = dict(zip(names, map(float, found[1::2]), strict=True))
        # A worker of an earlier release strikes off the heartbeat of one that it takes for dead.
        for broker_id in {name.decode(errors="replace") for name in known} - heartbeats.keys():
            broker.holdings.forget(broker_id)
        return heartbeats


def _bury(broker: ConsumingBroker, broker_id: str) -> None:
    count = broker.holdings.reclaim(broker_id)
    if count:
        _LOG.warning("A worker has ended; %d messages that it held go back.", count)
