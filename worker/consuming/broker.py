"""Broker of a performing process: sets bad messages aside and survives lost connections."""

from __future__ import annotations

import functools
import logging
import threading
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from typing import Any, Final

import redis
from dramatiq import Consumer, Message, MessageProxy, Middleware, Worker
from dramatiq.common import q_name
from dramatiq.encoder import MessageData

from actors.queue.dead_letters import DeadLetters
from actors.queue.spent_messages import compute_spent_seconds
from catfeeder.queue.broker import SealedBroker
from catfeeder.queue.encoder import SealedEncoder
from worker.consuming.consumer import QueueConsumer
from worker.consuming.in_flight.entries import Fetched
from worker.consuming.in_flight.messages import MAX_WORKER_DEATHS, InFlightMessages, in_flight_key
from worker.consuming.in_flight.transient_errors import translate_transient_errors
from worker.consuming.middleware.broker_retries import retry_until_broker_returns
from worker.consuming.middleware.jobs import JobEndings, is_refusal, to_job_error
from worker.consuming.notifier import QueueNotifier
from worker.consuming.opening import MessageOpener
from worker.consuming.poison_candidates import PoisonCandidates

_LOG = logging.getLogger(__name__)
#: We enqueue no delayed messages, so their queues are polled less often, for others' bytes.
_DELAY_QUEUE_FACTOR: Final = 20


class ConsumingBroker(SealedBroker):
    """A sealed broker that also consumes.

    `endings` holds, by redis_message_id, the call that ends a job when its message is acknowledged.
    """

    def __init__(
        self,
        client: redis.Redis,
        encoder: SealedEncoder,
        middleware: Sequence[Middleware],
        endings: JobEndings,
    ) -> None:
        self._notifier = QueueNotifier(client)
        super().__init__(client, encoder, [*middleware, self._notifier])
        self.in_flight = InFlightMessages(client)
        self._opener = MessageOpener(encoder, self.in_flight.read_releases)
        #: Set as soon as the worker begins to stop.
        self.stopping = threading.Event()
        #: What `PoisonMessageIsolation` performs alone.
        self.poison_candidates = PoisonCandidates()
        #: By queue, the ids of the messages that worker threads process.
        self.processing: defaultdict[str, set[str]] = defaultdict(set)
        #: By queue, the ids that its consumer has fetched and given to none of them yet.
        self.fetched: dict[str, set[str]] = {}
        #: Those of `processing` that Redis refused to acknowledge, for a reason that does not pass.
        self.unacknowledgeable: defaultdict[str, set[str]] = defaultdict(set)
        self.endings = endings
        #: By queue, the largest number of its messages in flight in this process.
        self.concurrency_limits: dict[str, int] = {}
        #: Dramatiq's threads, while they run.
        self.worker: Worker | None = None
        self._dead_letters = DeadLetters(self)

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 5000) -> Consumer:
        """Return a consumer of a queue, polling every `timeout` milliseconds without notification.

        Requeues what the previous consumer of this process had fetched and lost: no other worker
        takes a message from a live one.
        """
        self.fetched[queue_name] = set()
        # A candidate at work without a thread is lost as well.
        held = self.poison_candidates.held_ids(queue_name)
        found = self._drop_empty(queue_name, self._fetch(queue_name, 0, held))
        lost = [fetched.id for fetched in found]
        if lost:
            _LOG.warning("Requeueing %d messages of queue %s.", len(lost), queue_name)
            self.requeue_ids(queue_name, lost)
        notification = self._notifier.event_of(queue_name)
        is_ours = queue_name == q_name(queue_name)
        poll_seconds = timeout / 1000 * (1 if is_ours else _DELAY_QUEUE_FACTOR)
        limit = min(prefetch, self.concurrency_limits.get(queue_name, prefetch))
        # Of many threads for one app each would wait for the other's round trip.
        on_ack = limit == 1 or self.in_flight.app_limits.get(queue_name, 0) > 0
        return QueueConsumer(
            self, queue_name, limit, notification, poll_seconds, fetches_on_ack=on_ack
        )

    def find_work_queue(self, queue_name: str) -> Callable[[MessageProxy], None] | None:
        """Return what gives a message to the worker threads; None while they do not run."""
        if self.worker is None or self.stopping.is_set():
            return None
        thread = self.worker.consumers.get(queue_name)
        return thread.handle_message if thread else None

    def fetch(self, queue_name: str, count: int) -> tuple[list[Message[Any]], bool]:
        """Return up to `count` messages, each of which opens and has an actor here.

        The second value tells whether the queue had as many, so that another fetch may find more.

        A message to `quarantine` replaces a bad one and is acknowledged in its place. A message
        for a newer release goes back to the queue for a while.
        """
        messages: list[Message[Any]] = []
        fetched: list[Fetched] = []
        seen: set[str | bytes] = set()
        in_hand = self.poison_candidates.in_hand
        while not messages and (fetched := self._fetch(queue_name, count, in_hand(queue_name))):
            messages, unknown = self._partition(queue_name, fetched)
            if unknown and seen.issuperset(unknown):
                break
            seen.update(unknown)
        may_have_more = bool(messages) and len(fetched) >= count
        # Last, so that a lost connection leaves no candidate between its turn and its thread.
        candidate = self.poison_candidates.release(queue_name)
        return messages if candidate is None else [candidate, *messages], may_have_more

    def _partition(
        self, queue_name: str, fetched: list[Fetched]
    ) -> tuple[list[Message[Any]], list[bytes]]:
        """Return the messages to perform now, and the ids requeued for a newer release."""
        fetched = self._drop_empty(queue_name, fetched)
        opened = [self._opener.open(queue_name, one) for one in fetched]
        unknown = [one.id for one, fields in zip(fetched, opened, strict=True) if not fields]
        self.in_flight.requeue(self.broker_id, queue_name, unknown, at_tail=True)
        messages = []
        for one, fields in zip(fetched, opened, strict=True):
            if fields and one.worker_deaths == MAX_WORKER_DEATHS - 1:
                self.poison_candidates.hold(queue_name, _to_message(fields))
            elif fields:
                messages.append(_to_message(fields))
        return messages, unknown

    def _fetch(self, queue_name: str, count: int, candidates: set[str]) -> list[Fetched]:
        processing = self._in_hand(queue_name)
        return self.in_flight.fetch(
            self.broker_id, queue_name, count, processing, candidates - processing
        )

    def _in_hand(self, queue_name: str) -> set[str]:
        # A copy: another thread removes an id after Redis did; none adds one meanwhile.
        return self.processing[queue_name] | self.fetched.get(queue_name, set())

    def _drop_empty(self, queue_name: str, fetched: list[Fetched]) -> list[Fetched]:
        for one in fetched:
            if not one.is_whole:
                _LOG.warning("Dropping an id without a message from queue %s.", queue_name)
                self.do_ack(queue_name, one.id)
        return [one for one in fetched if one.is_whole]

    def acknowledge(self, queue_name: str, message: MessageProxy, count: int) -> list[Message[Any]]:
        """Store the end of a job, remove its message for good, and fetch `count` further ones.

        Raises:
            ConnectionClosed: Redis did not answer, and there was no result to keep.
        """
        redis_message_id = message.options["redis_message_id"]
        job_end = self.endings.get(redis_message_id)
        processing = self._in_hand(queue_name) - {redis_message_id}
        candidates = self.poison_candidates.in_hand(queue_name) - {redis_message_id}
        acknowledge = functools.partial(
            self.in_flight.acknowledge,
            *(self.broker_id, queue_name, redis_message_id),
            job_end=job_end,
            count=count,
            spent_seconds=compute_spent_seconds(message),
            processing=processing,
            candidates=candidates - processing,
        )
        fetched = retry_until_broker_returns(acknowledge) if job_end else acknowledge()
        self.endings.pop(redis_message_id, None)
        messages, _ = self._partition(queue_name, fetched)
        if self.poison_candidates.held_ids(queue_name):
            # The next fetch releases one.
            self._notifier.event_of(queue_name).set()
        return messages

    def move_to_dead_letters(self, queue_name: str, message: MessageProxy) -> None:
        """Move a failed message to the dead letters, with the code of its error.

        A job that was refused, as foreseen, is done: its caller has the answer.

        Raises:
            ConnectionClosed: Redis did not answer.
        """
        exception = message._exception or Exception()
        if is_refusal(message, exception):
            self.acknowledge(queue_name, message, 0)
            return
        code = to_job_error(exception).code
        with translate_transient_errors():
            key = in_flight_key(self.broker_id, queue_name)
            self._dead_letters.move_in_flight(queue_name, message, code, key)

    def requeue_ids(self, queue_name: str, redis_message_ids: Collection[str | bytes]) -> None:
        """Put messages back at the head of their queue.

        Raises:
            ConnectionClosed: Redis did not answer.
        """
        self.in_flight.requeue(self.broker_id, queue_name, redis_message_ids)
        self.poison_candidates.finish(redis_message_ids)

    def requeue_candidates(self, queue_name: str) -> None:
        """Put back the messages that wait to be performed alone.

        Raises:
            ConnectionClosed: Redis did not answer.
        """
        self.requeue_ids(queue_name, self.poison_candidates.take_all(queue_name))

    def wake_consumers(self) -> None:
        """End the wait of every consumer, so that a stop does not last a poll interval."""
        for queue_name in list(self.processing):
            self._notifier.event_of(queue_name).set()

    def close(self) -> None:
        """Close the connections to Redis."""
        self.client.close()

    def _dispatch(self, command: str) -> Callable[..., Any]:
        """Run one of Dramatiq's commands, with errors that its consumers know how to wait for."""
        dispatch = super()._dispatch(command)  # type: ignore[no-untyped-call]

        def do_dispatch(queue_name: str, *arguments: Any) -> Any:
            with translate_transient_errors():
                return dispatch(queue_name, *arguments)

        return do_dispatch


def _to_message(fields: MessageData) -> Message[Any]:
    return Message(**{**fields, "args": tuple(fields["args"])})
