"""One thread's way to a queue: takes messages, sleeps by a bell, and knows what is in hand."""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final, Protocol, cast

from dramatiq import Consumer, Message, MessageProxy
from dramatiq.errors import ConnectionClosed

_LOG = logging.getLogger(__name__)

#: A process that stops looks only whether its threads are done.
_STOPPING_SECONDS: Final = 0.05


class Queues(Protocol):
    """What a consumer asks of the broker."""

    stopping: threading.Event
    #: By queue, the ids of the messages that worker threads hold.
    in_hand: defaultdict[str, set[str]]
    #: Those of them that Redis would not let go of, for no reason that passes.
    stuck: defaultdict[str, set[str]]

    def take(self, queue_name: str, count: int) -> list[Message[Any]]:
        """Return up to `count` messages."""

    def acknowledge(self, queue_name: str, redis_message_id: str, count: int) -> list[Message[Any]]:
        """Take a message off the queue for good, and return up to `count` others."""

    def bury(self, queue_name: str, message: MessageProxy) -> None:
        """Move a message to the dead letters."""

    def give_back(self, queue_name: str, redis_message_ids: Collection[str]) -> None:
        """Put messages back to where they were taken."""


class QueueConsumer(Consumer):
    """Holds no more messages than `prefetch`, those in the hands of worker threads included.

    Dramatiq's own consumer sleeps where no bell can wake it, and opens each message twice with us.
    """

    def __init__(
        self,
        queues: Queues,
        queue_name: str,
        prefetch: int,
        bell: threading.Event,
        seconds: float,
    ) -> None:
        """Take the broker, the queue, how much to hold, the bell and the longest sleep."""
        self._queues = queues
        self._queue_name = queue_name
        self._prefetch = prefetch
        self._in_hand = queues.in_hand[queue_name]
        self._stuck = queues.stuck[queue_name]
        self._bell = bell
        self._seconds = seconds
        self._taken: list[Message[Any]] = []

    def __next__(self) -> MessageProxy | None:
        """Return the next message, or None after a sleep because there was none."""
        # Cleared before the look, so that a ring between the look and the sleep ends the sleep.
        self._bell.clear()
        if self._queues.stopping.is_set():
            # What waits is for those who go on.
            time.sleep(_STOPPING_SECONDS)
            return None
        room = self._prefetch - len(self._in_hand - self._stuck)
        if not self._taken and room > 0:
            self._taken = self._queues.take(self._queue_name, room)
        if not self._taken:
            self._bell.wait(self._seconds)
            return None
        message = MessageProxy(self._taken.pop(0))
        self._in_hand.add(_id_of(message))
        return message

    def ack(self, message: MessageProxy) -> None:
        """Take a message off the queue for good."""
        # Who holds one message at a time takes the next with the same round trip. With more, two
        # threads could fetch at once, and each would take what the other gets for a lost answer.
        count = int(self._prefetch == 1 and not self._queues.stopping.is_set())
        with self._settled(message):
            self._taken += self._queues.acknowledge(self._queue_name, _id_of(message), count)

    def nack(self, message: MessageProxy) -> None:
        """Move a message to the dead letters."""
        with self._settled(message):
            self._queues.bury(self._queue_name, message)

    def requeue(self, messages: Iterable[MessageProxy]) -> None:
        """Give messages back to the queue, as a worker that stops does."""
        ids = [_id_of(message) for message in messages]
        try:
            self._queues.give_back(self._queue_name, ids)
        except ConnectionClosed:
            # Others find them when this process has ended.
            _LOG.warning("Could not put %d messages back: the broker is away.", len(ids))
        else:
            self._let_go(ids)

    def close(self) -> None:
        """Give back what no thread has seen yet."""
        taken, self._taken = self._taken, []
        self._queues.give_back(self._queue_name, [_id_of(message) for message in taken])

    @contextmanager
    def _settled(self, message: MessageProxy) -> Iterator[None]:
        """Make room once the block has ended, unless Dramatiq is to try it again."""
        try:
            yield
        except ConnectionClosed:
            raise
        except Exception:
            # It stays where it is until this worker ends, is not fetched again, and takes no place.
            self._stuck.add(_id_of(message))
            self._bell.set()
            raise
        self._let_go([_id_of(message)])

    def _let_go(self, ids: Iterable[str]) -> None:
        self._in_hand.difference_update(ids)
        # There is room for another message, which nobody rings for while we are at work.
        self._bell.set()


def _id_of(message: Message[Any] | MessageProxy) -> str:
    return cast("str", message.options["redis_message_id"])
