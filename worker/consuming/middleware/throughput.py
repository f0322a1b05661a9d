"""Throughput meter: an exponential moving average of this process's time for a queue's message."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection
from typing import Any, Final

from dramatiq import Broker, MessageProxy, Worker
from dramatiq.middleware import Middleware

#: The weight of a new message in the average.
_WEIGHT: Final = 0.1
#: No message takes less, its fetch and acknowledgement included.
_MIN_SECONDS: Final = 0.001


class ThroughputMeter(Middleware):
    """Measures the throughput of each queue, from which the shim estimates waiting times."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}
        self._queues: Collection[str] = ()
        self._threads = 0
        self._thread = threading.local()

    def per_second(self) -> dict[str, float | None]:
        """Return for each queue how many messages this process performs per second.

        None stands for a queue of which it has performed no message yet.
        """
        known = {queue: self._seconds.get(queue) for queue in self._queues}
        return {
            queue: seconds and self._threads / max(seconds, _MIN_SECONDS)
            for queue, seconds in known.items()
        }

    def after_worker_boot(self, broker: Broker, worker: Worker) -> None:
        """Read the worker's queues and threads."""
        self._queues = broker.get_declared_queues() & set(worker.consumers)
        self._threads = worker.worker_threads

    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:  # noqa: ARG002
        """Start the measurement."""
        self._thread.started_at = time.perf_counter()

    def after_process_message(
        self,
        broker: Broker,  # noqa: ARG002
        message: MessageProxy,
        *,
        result: Any = None,  # noqa: ARG002
        exception: BaseException | None = None,  # noqa: ARG002
    ) -> None:
        """Update the average; a skipped message does not count."""
        seconds = time.perf_counter() - self._thread.started_at
        average = self._seconds.get(message.queue_name, seconds)
        self._seconds[message.queue_name] = average + _WEIGHT * (seconds - average)
