"""Consumer: one thread's loop over a queue, which waits for a notification or a poll interval."""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final, Protocol, cast

from dramatiq import Consumer, Message, MessageProxy
from dramatiq.errors import ConnectionClosed

from worker.consuming.notifier import Notification

_LOG = logging.getLogger(__name__)

#: While the process stops, its consumers fetch nothing and only wait for the worker threads.
_STOPPING_SECONDS: Final = 0.05


class MessageSource(Protocol):
    """What a consumer needs of the broker."""

    stopping: threading.Event
    #: By queue, the ids of the messages that worker threads process.
    processing: defaultdict[str, set[str]]
    #: By queue, the ids that its consumer has fetched and given to none of them yet.
    fetched: dict[str, set[str]]
    #: Those of `processing` that Redis refused to acknowledge, for a reason that does not pass.
    unacknowledgeable: defaultdict[str, set[str]]

    def find_work_queue(self, queue_name: str) -> Callable[[MessageProxy], None] | None:
        """Return what gives a message to the worker threads, past the consumer's own thread."""

    def fetch(self, queue_name: str, count: int) -> tuple[list[Message[Any]], bool]:
        """Return up to `count` messages, and whether the queue had as many as were asked for."""

    def acknowledge(self, queue_name: str, message: MessageProxy, count: int) -> list[Message[Any]]:
        """Remove a message from its queue for good, and return up to `count` others."""

    def move_to_dead_letters(self, queue_name: str, message: MessageProxy) -> None:
        """Move a failed message to the dead letters."""

    def requeue_ids(self, queue_name: str, redis_message_ids: Collection[str]) -> None:
        """Put messages back at the head of their queue."""

    def requeue_candidates(self, queue_name: str) -> None:
        """Put back the messages that wait to be performed alone."""


class QueueConsumer(Consumer):
    """Keeps at most `prefetch` messages in flight, those that worker threads process included.

    Dramatiq's own consumer cannot be woken from its sleep, and would open each message twice. What
    another thread fetches goes straight to the worker threads: each thread that is woken on the way
    costs as much as the steps of a short job.
    """

    def __init__(
        self,
        source: MessageSource,
        queue_name: str,
        prefetch: int,
        notification: Notification,
        poll_seconds: float,
        *,
        fetches_on_ack: bool,
    ) -> None:
        """With `fetches_on_ack` a thread that is done gets the next message in one round trip."""
        self._source = source
        self._queue_name = queue_name
        self._prefetch = prefetch
        self._processing = source.processing[queue_name]
        self._fetched_ids = source.fetched[queue_name]
        self._unacknowledgeable = source.unacknowledgeable[queue_name]
        self._notification = notification
        self._poll_seconds = poll_seconds
        self._fetches_on_ack = fetches_on_ack
        self._fetched: list[Message[Any]] = []
        #: Of two fetches at once each would take the other's messages for those of a lost answer.
        self._fetching = threading.Lock()
        #: Whether a fetch may find something: the last one took all it might, or a wait has ended.
        self._may_have_more = True
        notification.fetch = self._fetch_and_hand_over

    def __next__(self) -> MessageProxy | None:
        """Return the next message, or None after a wait in which none came."""
        if self._source.stopping.is_set():
            time.sleep(_STOPPING_SECONDS)
            return None
        if not self._fetched and self._may_have_more:
            self._fetch()
        if not self._fetched:
            self._wait()
            return None
        return self._take_held()

    def _wait(self) -> None:
        """Wait for a notification or a poll interval, or for what a worker thread has fetched."""
        was_woken = self._notification.wait(self._poll_seconds)
        # What is announced from now on ends the next wait.
        self._notification.clear()
        if self._notification.is_announced or not was_woken:
            self._may_have_more = True

    def _fetch(self) -> None:
        """Fetch what there is room for, unless another thread is about to."""
        if not self._fetching.acquire(timeout=self._poll_seconds):
            return
        try:
            # Before the fetch: a notification between the fetch and the wait ends the wait.
            self._notification.forget()
            messages, self._may_have_more = self._fetch_free()
            self._hold(messages)
        finally:
            self._fetching.release()

    def _fetch_free(self) -> tuple[list[Message[Any]], bool]:
        """Return as `MessageSource.fetch` does what there is room for."""
        in_hand = (self._processing - self._unacknowledgeable) | self._fetched_ids
        free = self._prefetch - len(in_hand)
        return self._source.fetch(self._queue_name, free) if free > 0 else ([], True)

    def _fetch_and_hand_over(self) -> bool:
        """Fetch in another thread, past the consumer's own; false where that one is to fetch."""
        if self._source.stopping.is_set():
            return False
        try:
            with self._fetching:
                messages, may_have_more = self._fetch_free()
                self._hold(messages)
        except Exception:  # noqa: BLE001  The consumer's own thread meets it too, and tells it.
            return False
        self._pass_on()
        return not may_have_more

    def _pass_on(self) -> None:
        """Give what is held to the worker threads; where there are none, wake the consumer."""
        put = self._source.find_work_queue(self._queue_name)
        while put and (message := self._take_held()):
            put(message)
        if self._fetched:
            self._notification.wake()

    def _take_held(self) -> MessageProxy | None:
        try:
            message = MessageProxy(self._fetched.pop(0))
        except IndexError:
            return None
        self._processing.add(_id_of(message))
        self._fetched_ids.discard(_id_of(message))
        return message

    def _hold(self, messages: list[Message[Any]]) -> None:
        self._fetched_ids.update(map(_id_of, messages))
        self._fetched += messages

    def ack(self, message: MessageProxy) -> None:
        """Remove a message from its queue for good."""
        if self._fetches_on_ack and not self._source.stopping.is_set():
            self._ack_and_fetch(message)
            return
        with self._freeing_slot(message):
            self._source.acknowledge(self._queue_name, message, 0)

    def _ack_and_fetch(self, message: MessageProxy) -> None:
        """Remove a message, and fill its slot in the same round trip.

        Where there was nothing to fill it with, the consumer has nothing to fetch either.
        """
        with self._noting_failure(message), self._fetching:
            self._hold(self._source.acknowledge(self._queue_name, message, 1))
        self._processing.discard(_id_of(message))
        self._pass_on()

    def nack(self, message: MessageProxy) -> None:
        """Move a failed message to the dead letters."""
        with self._freeing_slot(message):
            self._source.move_to_dead_letters(self._queue_name, message)

    def requeue(self, messages: Iterable[MessageProxy]) -> None:
        """Put messages back on their queue, as a stopping worker does."""
        ids = [_id_of(message) for message in messages]
        try:
            self._source.requeue_ids(self._queue_name, ids)
        except ConnectionClosed:
            # The other workers requeue them once this process has ended.
            _LOG.warning("Could not requeue %d messages: the broker is unreachable.", len(ids))
        else:
            self._free_slots(ids)

    def close(self) -> None:
        """Put back what no worker thread has received."""
        # After a fetch in another thread, which a stop lets end.
        with self._fetching:
            ids = [_id_of(message) for message in self._fetched]
            self._fetched.clear()
        self._source.requeue_ids(self._queue_name, ids)
        self._source.requeue_candidates(self._queue_name)

    @contextmanager
    def _freeing_slot(self, message: MessageProxy) -> Iterator[None]:
        """Free the message's slot after the block, unless Dramatiq is to try the block again."""
        with self._noting_failure(message):
            yield
        self._free_slots([_id_of(message)])

    @contextmanager
    def _noting_failure(self, message: MessageProxy) -> Iterator[None]:
        """Free the slot of a message that Redis refuses in the block, for a reason that stays."""
        try:
            yield
        except ConnectionClosed:
            raise
        except Exception:
            # It stays in flight until this worker ends, is not fetched again, and takes no slot.
            self._unacknowledgeable.add(_id_of(message))
            self._notification.set()
            raise

    def _free_slots(self, ids: Iterable[str]) -> None:
        self._processing.difference_update(ids)
        # The consumer can fetch again; Redis sends no notification for messages that waited.
        self._notification.set()


def _id_of(message: Message[Any] | MessageProxy) -> str:
    return cast("str", message.options["redis_message_id"])
