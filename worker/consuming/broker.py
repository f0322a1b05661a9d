"""The broker of a process that performs: no bad message and no lost connection strands another."""

from __future__ import annotations

import functools
import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from typing import Any, Final

import redis
from dramatiq import Consumer, Message, MessageProxy, Middleware
from dramatiq.common import q_name
from dramatiq.encoder import MessageData

from actors.queue.dead_letters import DeadLetters
from catfeeder.broker import SealedBroker
from catfeeder.encoder import SealedEncoder, UnreadableMessage, build_quarantine_message
from worker.consuming.consumer import QueueConsumer
from worker.consuming.in_flight import (
    MOST_ENDS,
    Fetched,
    Holdings,
    fetched_key,
    passing_faults_are_lost_connections,
)
from worker.consuming.middleware.broker_retries import with_patience
from worker.consuming.middleware.job_results import Ends, told
from worker.consuming.notifier import Doorbell
from worker.consuming.recognition import UnknownMessage, check_message
from worker.consuming.releases import own_release

_LOG = logging.getLogger(__name__)
#: Quarantine is for looking at; who puts megabytes on a queue is found out by the first of them.
_KEPT_BYTES: Final = 64 * 1024
#: On the queues of delayed messages we put nothing, and look so much less often for others' bytes.
_SELDOM: Final = 20
#: While a new release is rolled out, what only it understands is left to it for this long.
_PATIENCE_MS: Final = 30_000


class ConsumingBroker(SealedBroker):
    """A sealed broker that also consumes."""

    def __init__(
        self,
        client: redis.Redis,
        encoder: SealedEncoder,
        middleware: Sequence[Middleware],
        ends: Ends,
    ) -> None:
        """Take the Redis client, the encoder, the middleware, and where it notes how jobs end."""
        self._doorbell = Doorbell(client)
        super().__init__(client, encoder, [*middleware, self._doorbell])
        self.holdings = Holdings(client)
        #: Set from the moment that the worker is told to stop.
        self.stopping = threading.Event()
        #: The messages that are on their last trial, to be performed with nothing else in hand.
        self.suspects: set[str] = set()
        #: By queue, the ids of the messages that worker threads hold.
        self.in_hand: defaultdict[str, set[str]] = defaultdict(set)
        #: Those of them that Redis would not let go of, for no reason that passes.
        self.stuck: defaultdict[str, set[str]] = defaultdict(set)
        #: By the id of a message, how its job ends once it is acknowledged.
        self.ends = ends
        #: Of a queue that is to leave hands to the others, how many messages are held at most.
        self.most_at_once: dict[str, int] = {}
        self._dead_letters = DeadLetters(self)

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 5000) -> Consumer:
        """Return a consumer, once what its predecessor had fetched and lost is back in the queue.

        The predecessor's cache went with it, and no other worker takes a message from one that
        lives. `timeout` is how many milliseconds a consumer sleeps at most when no bell rings.
        """
        lost = [fetched.id for fetched in self._fetch(queue_name, 0)]
        if lost:
            _LOG.warning("Putting %d messages back onto queue %s.", len(lost), queue_name)
            self.give_back(queue_name, lost)
        bell = self._doorbell.of(queue_name)
        is_ours = queue_name == q_name(queue_name)
        seconds = timeout / 1000 * (1 if is_ours else _SELDOM)
        held = min(prefetch, self.most_at_once.get(queue_name, prefetch))
        return QueueConsumer(self, queue_name, held, bell, seconds)

    def take(self, queue_name: str, count: int) -> list[Message[Any]]:
        """Take messages, each of which is sure to open and to have an actor here.

        One that has not is replaced by a message to `quarantine` that is acknowledged in its place.
        One that may be for a newer worker is left to it, for a while.
        """
        seen: set[str | bytes] = set()
        while fetched := self._fetch(queue_name, count):
            messages, strange = self._told_apart(queue_name, fetched)
            if messages or seen.issuperset(strange):
                return messages
            seen.update(strange)
        return []

    def _told_apart(
        self, queue_name: str, fetched: list[Fetched]
    ) -> tuple[list[Message[Any]], list[bytes]]:
        """Return the messages to perform here, and the ids of what was given back for others."""
        readable = [self._readable(queue_name, one) for one in fetched]
        strange = [one.id for one, fields in zip(fetched, readable, strict=True) if not fields]
        self.holdings.give_back(self.broker_id, queue_name, strange, at_the_tail=True)
        return [_message(fields) for fields in readable if fields], strange

    def _fetch(self, queue_name: str, count: int) -> list[Fetched]:
        # Copied: what is acknowledged meanwhile leaves Redis before it leaves that set, and only
        # the thread that calls us adds to it.
        in_hand = self.in_hand[queue_name].copy()
        return self._sound(
            queue_name, self.holdings.take(self.broker_id, queue_name, count, in_hand)
        )

    def _sound(self, queue_name: str, fetched: list[Fetched]) -> list[Fetched]:
        for one in fetched:
            if one.body is None or not _is_text(one.id):
                _LOG.warning("Dropping an id without a message from queue %s.", queue_name)
                self.do_ack(queue_name, one.id)
        return [one for one in fetched if one.body is not None and _is_text(one.id)]

    def _readable(self, queue_name: str, fetched: Fetched) -> MessageData | None:
        """Return the fields of what a thread is to perform, or None to leave it to others."""
        body, redis_message_id, fields = fetched.body or b"", fetched.id.decode(), None
        try:
            fields = self.encoder.open(body)
            check_message(queue_name, redis_message_id, fields, fetched.ends)
        except UnreadableMessage as error:
            if fields and isinstance(error, UnknownMessage) and self._may_be_for_others(fields):
                return None
            return build_quarantine_message(queue_name, redis_message_id, error, body[:_KEPT_BYTES])
        if fetched.ends == MOST_ENDS - 1:
            self.suspects.add(redis_message_id)
        return fields

    def _may_be_for_others(self, fields: MessageData) -> bool:
        """Tell whether it is worth waiting for another release, which works beside this one."""
        age_ms = abs(time.time() * 1000 - fields["message_timestamp"])
        return age_ms < _PATIENCE_MS and bool(self.holdings.releases() - {own_release()})

    def acknowledge(self, queue_name: str, redis_message_id: str, count: int) -> list[Message[Any]]:
        """Take a message off the queue for good, its job's end told, and take `count` others."""
        end = self.ends.get(redis_message_id)
        settle = functools.partial(
            self.holdings.settle,
            *(self.broker_id, queue_name, redis_message_id),
            end=end,
            count=count,
            in_hand=self.in_hand[queue_name] - {redis_message_id},
        )
        fetched = with_patience(settle) if end else settle()
        self.ends.pop(redis_message_id, None)
        return self._told_apart(queue_name, self._sound(queue_name, fetched))[0]

    def bury(self, queue_name: str, message: MessageProxy) -> None:
        """Move a message that failed to the dead letters, with the code of its error."""
        code = told(message._exception or Exception()).code
        redis_message_id = message.options["redis_message_id"]
        with passing_faults_are_lost_connections():
            fetched = fetched_key(self.broker_id, queue_name)
            self._dead_letters.move_in_flight(queue_name, redis_message_id, code, fetched)

    def give_back(self, queue_name: str, redis_message_ids: Collection[str | bytes]) -> None:
        """Put messages back to where they were taken."""
        self.holdings.give_back(self.broker_id, queue_name, redis_message_ids)

    def wake_all(self) -> None:
        """Ring every bell, so that nobody sleeps through the end."""
        for queue_name in list(self.in_hand):
            self._doorbell.of(queue_name).set()

    def close(self) -> None:
        """Close the connections to Redis."""
        self.client.close()

    def _dispatch(self, command: str) -> Callable[..., Any]:
        """Run one of Dramatiq's commands; its consumers know how to wait for a lost connection."""
        dispatch = super()._dispatch(command)  # type: ignore[no-untyped-call]

        def do_dispatch(queue_name: str, *arguments: Any) -> Any:
            with passing_faults_are_lost_connections():
                return dispatch(queue_name, *arguments)

        return do_dispatch


def _message(fields: MessageData) -> Message[Any]:
    return Message(**{**fields, "args": tuple(fields["args"])})


def _is_text(found: bytes) -> bool:
    try:
        found.decode()
    except UnicodeDecodeError:
        return False
    return True
