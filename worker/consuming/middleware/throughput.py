"""Measures how fast this process works, so that the shim can tell how long a queue takes."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection
from typing import Any, Final

from dramatiq import Broker, MessageProxy, Worker
from dramatiq.middleware import Middleware

#: How much one more message changes what is known.
_WEIGHT: Final = 0.1
#: Nothing that is worth a message takes less, fetching and acknowledging included.
_LEAST_SECONDS: Final = 0.001


class Pace(Middleware):
    """Knows the mean time that a message of each queue has taken lately."""

    def __init__(self) -> None:
        """Begin without an idea."""
        self._seconds: dict[str, float] = {}
        self._queues: Collection[str] = ()
        self._threads = 0
        self._own = threading.local()

    def per_second(self) -> dict[str, float | None]:
        """Return how many messages of each of its queues this process performs in a second.

        None stands for a queue of which it has not performed any yet.
        """
        known = {queue: self._seconds.get(queue) for queue in self._queues}
        return {
            queue: seconds and self._threads / max(seconds, _LEAST_SECONDS)
            for queue, seconds in known.items()
        }

    def after_worker_boot(self, broker: Broker, worker: Worker) -> None:
        """Take the worker's queues and threads."""
        self._queues = broker.get_declared_queues() & set(worker.consumers)
        self._threads = worker.worker_threads

    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:  # noqa: ARG002
        """Begin to measure."""
        self._own.began_at = time.perf_counter()

    def after_process_message(
        self,
        broker: Broker,  # noqa: ARG002
        message: MessageProxy,
        *,
        result: Any = None,  # noqa: ARG002
        exception: BaseException | None = None,  # noqa: ARG002
    ) -> None:
        """Learn from a message that was performed; one that was skipped tells nothing."""
        took = time.perf_counter() - self._own.began_at
        known = self._seconds.get(message.queue_name, took)
        self._seconds[message.queue_name] = known + _WEIGHT * (took - known)
