"""Throughput meter: how much work of each queue this process performs in a second.

The shim estimates waiting times from it. What waits for a core (passwords) is measured by the work
done while the process was busy, whatever else the machine did meanwhile, and begins with the speed
of bcrypt at the start. What waits for others is measured by how long a message occupies a thread.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Collection
from typing import Any, Final

from dramatiq import Broker, MessageProxy, Worker
from dramatiq.middleware import Middleware

from catfeeder.messages import PASSWORDS

#: The weight of a new message in the average.
_WEIGHT: Final = 0.1
#: No message takes less, its fetch and acknowledgement included.
_MIN_SECONDS: Final = 0.001
#: How many busy seconds it takes until what was measured before counts half.
_HALF_LIFE_SECONDS: Final = 20.0

#: How long ago a message was performed that counts half in the rate of what is done.
_DONE_HALF_LIFE_SECONDS: Final = 5.0

EstimateCost = Callable[[MessageProxy], int]


class CoreMeter:
    """Work done in a busy second, with the recent past counting most; safe for several threads."""

    def __init__(
        self, work_per_second: float, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        """`work_per_second` is what is assumed at first, with the weight of some seconds."""
        self._clock = clock
        self._lock = threading.Lock()
        self._seconds = _HALF_LIFE_SECONDS / 4
        self._work = work_per_second * self._seconds
        #: Of the messages done, whose average cost tells how many of them a second holds.
        self._messages = 0.0
        self._costs = 0.0
        self._at_work = 0
        self._since = 0.0

    def begin(self) -> None:
        """Count that one more message is performed."""
        with self._lock:
            self._add_busy_time()
            self._at_work += 1

    def end(self, cost: int) -> None:
        """Count that a message of that cost is done."""
        with self._lock:
            self._add_busy_time()
            self._at_work -= 1
            self._work += cost
            self._costs += cost
            self._messages += 1

    def skip(self) -> None:
        """Count that a message was not performed."""
        with self._lock:
            self._add_busy_time()
            self._at_work -= 1

    def _add_busy_time(self) -> None:
        now = self._clock()
        if self._at_work:
            past = 0.5 ** ((now - self._since) / _HALF_LIFE_SECONDS)
            self._seconds = self._seconds * past + now - self._since
            self._work *= past
            self._costs *= past
            self._messages *= past
        self._since = now

    @property
    def work_per_second(self) -> float:
        """The sum of costs in a busy second."""
        return self._work / self._seconds

    @property
    def messages_per_second(self) -> float | None:
        """How many messages of recent costs that makes; None before the first."""
        return self.work_per_second * self._messages / self._costs if self._costs else None


class DoneRate:
    """How many messages a second were performed lately; safe for several threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._count = 0.0
        self._since = clock()

    def add(self) -> None:
        """Count a message."""
        with self._lock:
            self._fade()
            self._count += 1

    def read(self) -> float:
        """Return the rate; it fades to 0 while nothing is performed."""
        with self._lock:
            self._fade()
            return self._count * math.log(2) / _DONE_HALF_LIFE_SECONDS

    def _fade(self) -> None:
        now = self._clock()
        self._count *= 0.5 ** ((now - self._since) / _DONE_HALF_LIFE_SECONDS)
        self._since = now


class ThroughputMeter(Middleware):
    """Measures each queue of this process."""

    def __init__(self, estimate_cost: EstimateCost) -> None:
        """`estimate_cost` returns what a message costs, as the shim weighs it."""
        self._estimate_cost = estimate_cost
        self._seconds: dict[str, float] = {}
        self._queues: Collection[str] = ()
        self._threads = 0
        self._thread = threading.local()
        self._core = CoreMeter(1)
        self._done: dict[str, DoneRate] = {}

    def report(self) -> dict[str, dict[str, float | None]]:
        """Return the rates, as a worker's report holds them."""
        return {
            "per_second": self.messages_per_second(),
            "work": self.work_per_second(),
            "done_per_second": {queue: rate.read() for queue, rate in self._done.items()},
        }

    def messages_per_second(self) -> dict[str, float | None]:
        """Return for each queue how many messages this process performs per second.

        None stands for a queue of which it has performed no message yet.
        """
        return {queue: self._find_rate(queue) for queue in self._queues}

    def work_per_second(self) -> dict[str, float | None]:
        """Return for each queue the sum of the costs that this process performs per second."""
        work = self.messages_per_second()
        return work | ({PASSWORDS: self._core.work_per_second} if PASSWORDS in work else {})

    def _find_rate(self, queue: str) -> float | None:
        if queue == PASSWORDS:
            return self._core.messages_per_second
        seconds = self._seconds.get(queue)
        return seconds and self._threads / max(seconds, _MIN_SECONDS)

    def after_worker_boot(self, broker: Broker, worker: Worker) -> None:
        """Read the worker's queues and threads, and measure bcrypt if it is to hash."""
        self._queues = broker.get_declared_queues() & set(worker.consumers)
        self._done = {queue: DoneRate() for queue in self._queues}
        self._threads = worker.worker_threads
        if PASSWORDS in self._queues:
            from actors.passwords.derivation import measure_rounds_per_second

            self._core = CoreMeter(measure_rounds_per_second())

    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:  # noqa: ARG002
        """Start the measurement."""
        self._thread.started_at = time.perf_counter()
        if message.queue_name == PASSWORDS:
            self._core.begin()

    def after_process_message(
        self,
        broker: Broker,  # noqa: ARG002
        message: MessageProxy,
        *,
        result: Any = None,  # noqa: ARG002
        exception: BaseException | None = None,
    ) -> None:
        """Update the averages."""
        if message.queue_name in self._done:
            self._done[message.queue_name].add()
        if message.queue_name == PASSWORDS:
            self._core.end(0 if exception else self._estimate_cost(message))
            return
        seconds = time.perf_counter() - self._thread.started_at
        average = self._seconds.get(message.queue_name, seconds)
        self._seconds[message.queue_name] = average + _WEIGHT * (seconds - average)

    def after_skip_message(self, broker: Broker, message: MessageProxy) -> None:  # noqa: ARG002
        """End the measurement of a message that was not performed, which counts for nothing."""
        if message.queue_name == PASSWORDS:
            self._core.skip()
