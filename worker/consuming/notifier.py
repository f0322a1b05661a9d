"""Queue notifications over Redis pub/sub, so that an idle worker sleeps until there is work.

The thread that hears of a message fetches it, since a person may wait while another wakes up.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable
from typing import Any, Final, cast

import redis
from dramatiq import Broker, Middleware, Worker

from catfeeder.queue.broker import NAMESPACE
from catfeeder.queue.lanes import NOTIFICATION_PREFIX, idle_key
from catfeeder.queue.redis.faults import describe_loss

_LOG = logging.getLogger(__name__)
#: How long the thread waits for a notification before it checks whether the worker stops.
_LISTEN_SECONDS: Final = 5.0
#: A broker that hangs may keep the thread connecting for longer; the process does not wait for it.
_JOIN_SECONDS: Final = 2.0


class Notification(threading.Event):
    """Wakes the consumer of a queue; `is_announced` tells it whether a fetch may find something."""

    is_announced = False
    #: Fetches at once, in the calling thread; returns whether all is done that was announced.
    fetch: Callable[[], bool] = staticmethod(lambda: False)

    def announce(self) -> None:
        """Fetch what has come; what cannot be is left to the consumer's own thread."""
        if not self.fetch():
            self.set()

    def set(self) -> None:
        """Wake the consumer, which then fetches."""
        self.is_announced = True
        super().set()

    def wake(self) -> None:
        """Wake the consumer for what has been fetched already."""
        super().set()

    def forget(self) -> None:
        """Forget what was announced so far, as the fetch that follows finds it."""
        # In this order: an announcement between the two wakes the consumer once more than needed.
        self.clear()
        self.is_announced = False


class QueueNotifier(Middleware):
    """Listens for the queues of a process, in one thread and on one connection.

    Of each queue there is a channel for all of its workers, and one for each of them alone.
    Notifications carry no messages. A lost notification delays a consumer by one poll interval.
    """

    def __init__(self, client: redis.Redis, reconnect_seconds: float = 0.5) -> None:
        self._client = client
        self._reconnect_seconds = reconnect_seconds
        self._events: dict[str, Notification] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread()
        #: Ends the names of the channels on which this process alone is woken.
        self._own = ""
        # True from the start, so that the first failure is logged and no further one.
        self._is_listening = True

    def event_of(self, queue_name: str) -> Notification:
        """Return the event that a notification of a queue sets."""
        return self._events.setdefault(queue_name, Notification())

    def after_worker_boot(self, broker: Broker, worker: Worker) -> None:
        """Begin to listen for the queues that the worker consumes."""
        queues = broker.get_declared_queues() & set(worker.consumers)
        self._own = f":{cast('Any', broker).broker_id}"
        common = [f"{NOTIFICATION_PREFIX}{name}" for name in queues]
        channels = [*common, *(name + self._own for name in common)]
        self._stopping.clear()
        self._thread = threading.Thread(
            target=self._listen, args=channels, name="notifier", daemon=True
        )
        self._thread.start()

    def before_worker_shutdown(self, broker: Broker, worker: Worker) -> None:  # noqa: ARG002
        """Request the thread to stop."""
        self._stopping.set()
        # The notification ends the thread's own wait. Others fetch what this process was woken for.
        with contextlib.suppress(redis.RedisError):
            for name in self._events:
                self._client.hdel(idle_key(f"{NAMESPACE}:{name}"), name + self._own)
                self._client.publish(NOTIFICATION_PREFIX + name, b"")

    def after_worker_shutdown(self, broker: Broker, worker: Worker) -> None:  # noqa: ARG002
        """Wait until the connection is no longer in use: the broker is closed next."""
        self._thread.join(_JOIN_SECONDS)

    def _listen(self, *channels: str) -> None:
        while not self._stopping.is_set():
            try:
                self._listen_once(channels)
            except (redis.RedisError, OSError) as error:
                if self._is_listening:
                    why = describe_loss(error)
                    _LOG.warning("Lost the connection for queue notifications: %s.", why)
                self._is_listening = False
                self._stopping.wait(self._reconnect_seconds)

    def _listen_once(self, channels: tuple[str, ...]) -> None:
        with self._client.pubsub() as subscription:
            subscription.subscribe(*channels)
            while not self._stopping.is_set():
                message = subscription.get_message(timeout=_LISTEN_SECONDS)
                if message is not None:
                    self._notify(message)

    def _notify(self, message: dict[str, Any]) -> None:
        self._is_listening = True
        # The confirmation of a subscription counts too: earlier notifications may have been lost.
        name = message["channel"].decode().removeprefix(NOTIFICATION_PREFIX)
        self.event_of(name.removesuffix(self._own)).announce()
