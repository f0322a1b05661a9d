"""Hears that something was put onto a queue, so that an idle worker sleeps until there is work."""

from __future__ import annotations

import contextlib
import logging
import threading
from typing import Any, Final

import redis
from dramatiq import Broker, Middleware, Worker

from catfeeder.broker import NOTIFICATION_PREFIX

_LOG = logging.getLogger(__name__)
#: How often the thread looks whether it is to end, if no bell tells it to.
_LISTEN_SECONDS: Final = 5.0
#: It ends later while a broker that hangs keeps it from connecting; the process does not wait.
_END_SECONDS: Final = 2.0
_RECONNECT_SECONDS: Final = 0.5


class Doorbell(Middleware):
    """Listens for a process's queues, in one thread and on one connection.

    It carries no messages and may lose its connection: whoever sleeps by a bell wakes up by himself
    after a while, and looks.
    """

    def __init__(self, client: redis.Redis) -> None:
        """Take the Redis client; listening begins with the worker."""
        self._client = client
        self._bells: dict[str, threading.Event] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread()
        # True from the start, so that the first failure is told of, and each one not.
        self._is_listening = True

    def of(self, queue_name: str) -> threading.Event:
        """Return the bell of a queue, which stays set until somebody clears it and looks."""
        return self._bells.setdefault(queue_name, threading.Event())

    def after_worker_boot(self, broker: Broker, worker: Worker) -> None:
        """Begin to listen for the queues that the worker consumes."""
        queues = broker.get_declared_queues() & set(worker.consumers)
        channels = [f"{NOTIFICATION_PREFIX}{name}" for name in queues]
        self._stopping.clear()
        self._thread = threading.Thread(
            target=self._listen, args=channels, name="doorbell", daemon=True
        )
        self._thread.start()

    def before_worker_shutdown(self, broker: Broker, worker: Worker) -> None:  # noqa: ARG002
        """Listen no more."""
        self._stopping.set()
        # Our thread hears its own bell; nobody is worse off for one that rings for nothing.
        with contextlib.suppress(redis.RedisError):
            for name in self._bells:
                self._client.publish(f"{NOTIFICATION_PREFIX}{name}", b"")

    def after_worker_shutdown(self, broker: Broker, worker: Worker) -> None:  # noqa: ARG002
        """Wait until the connection is no longer in use: the broker is closed next."""
        self._thread.join(_END_SECONDS)

    def _listen(self, *channels: str) -> None:
        while not self._stopping.is_set():
            try:
                self._listen_once(channels)
            except (redis.RedisError, OSError) as error:
                if self._is_listening:
                    _LOG.warning("Lost the bells of the queues: %s.", type(error).__name__)
                self._is_listening = False
                self._stopping.wait(_RECONNECT_SECONDS)

    def _listen_once(self, channels: tuple[str, ...]) -> None:
        with self._client.pubsub() as rings:
            rings.subscribe(*channels)
            while not self._stopping.is_set():
                message = rings.get_message(timeout=_LISTEN_SECONDS)
                if message is not None:
                    self._hear(message)

    def _hear(self, message: dict[str, Any]) -> None:
        self._is_listening = True
        # A subscription is new, so what came before it was not heard: that is a ring as well.
        self.of(message["channel"].decode().removeprefix(NOTIFICATION_PREFIX)).set()
