"""The broker of a process that performs: no bad message and no lost connection strands another."""

from __future__ import annotations

import logging
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, cast

import redis
from dramatiq import Consumer, MessageProxy, Middleware
from dramatiq.encoder import MessageData
from dramatiq.errors import ConnectionClosed

from catfeeder.broker import SealedBroker
from catfeeder.encoder import SealedEncoder, UnreadableMessage, quarantine_fields
from catfeeder.requester import REQUESTER_OPTION, is_requester
from worker.doorbell import Doorbell

_LOG = logging.getLogger(__name__)
#: A server that is slow, is a replica now or has no memory left recovers, as one that is away does.
#: Dramatiq takes only the last for a lost connection, and every other for the end of the consumer.
_PASSING: Final = (
    redis.ConnectionError,
    redis.TimeoutError,
    redis.ReadOnlyError,
    redis.OutOfMemoryError,
)
# What this process has fetched and not acknowledged, without what it holds: ids and their bodies.
_UNATTENDED: Final = """
local held = {}
for _, id in ipairs(ARGV) do held[id] = true end
local found = {}
for _, id in ipairs(redis.call('SMEMBERS', KEYS[1])) do
    if not held[id] then
        found[#found + 1] = id
        found[#found + 1] = redis.call('HGET', KEYS[2], id)
    end
end
return found
"""
#: Quarantine is for looking at; who puts megabytes on a queue is found out by the first of them.
_KEPT_BYTES: Final = 64 * 1024


@contextmanager
def _passing_faults_are_lost_connections() -> Iterator[None]:
    try:
        yield
    except _PASSING as error:
        raise ConnectionClosed(f"{type(error).__name__}: {error}") from error


class ConsumingBroker(SealedBroker):
    """A sealed broker that also consumes.

    It reads from Dramatiq's own keys only what this process has fetched and not acknowledged; all
    changes but that of sending go through Dramatiq's script.
    """

    def __init__(
        self, client: redis.Redis, encoder: SealedEncoder, middleware: Sequence[Middleware]
    ) -> None:
        """Take the Redis client, the encoder and the middleware."""
        self._doorbell = Doorbell(client)
        super().__init__(client, encoder, [*middleware, self._doorbell])
        #: By queue, the ids of the messages that worker threads hold.
        self._in_hand: defaultdict[str, set[str]] = defaultdict(set)
        self._find_unattended = client.register_script(_UNATTENDED)

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 5000) -> Consumer:
        """Return a consumer, once what its predecessor had fetched and lost is back in the queue.

        The predecessor's cache went with it, and Dramatiq gives a message back only when its whole
        process is gone. The consumer of the delay queue, on which we put nothing, beats for the
        others while a full prefetch keeps them from polling. `timeout` is how many milliseconds a
        consumer sleeps at most when no bell rings.
        """
        with _passing_faults_are_lost_connections():
            lost = [found for found, _ in self._unattended(queue_name)]
        if lost:
            _LOG.warning("Putting %d messages back onto queue %s.", len(lost), queue_name)
            self.do_requeue(queue_name, *lost)
        # Dramatiq's own consumer sleeps where no bell can wake it: it does not sleep at all.
        consumer = super().consume(queue_name, prefetch, timeout=0)
        bell = self._doorbell.of(queue_name)
        return WatchedConsumer(consumer, self._in_hand[queue_name], bell, timeout / 1000)

    def do_fetch(self, queue_name: str, count: int) -> list[bytes]:
        """Fetch messages, each of which is sure to open and to have an actor here.

        One that would not is replaced by a message to `quarantine` that is acknowledged in its
        place: Dramatiq's consumer dies of a bad message, and those beside it are stranded.
        """
        fetched: list[bytes | None] = self._dispatch("fetch")(queue_name, count)
        if not fetched:
            return []
        with _passing_faults_are_lost_connections():
            pairs = self._bodies(queue_name)
        order = {body: place for place, body in enumerate(fetched)}
        pairs.sort(key=lambda pair: order.get(pair[1], -1))
        return [self._readable(queue_name, found, body) for found, body in pairs]

    def close(self) -> None:
        """Close the connections to Redis."""
        self.client.close()

    def _unattended(self, queue_name: str) -> list[tuple[bytes, bytes | None]]:
        """Return what we have fetched and no worker thread holds: the ids with their bodies."""
        # Copied first: what is acknowledged meanwhile leaves Redis before it leaves this set, and
        # only the thread that calls us adds to it.
        in_hand = self._in_hand[queue_name].copy()
        acks = f"{self.namespace}:__acks__.{self.broker_id}.{queue_name}"
        bodies = f"{self.namespace}:{queue_name}.msgs"
        found = self._find_unattended(keys=[acks, bodies], args=in_hand)
        return list(zip(found[::2], found[1::2], strict=True))

    def _bodies(self, queue_name: str) -> list[tuple[str, bytes]]:
        """Return what is unattended, and let go of what can never be worked off."""
        pairs = []
        for found, body in self._unattended(queue_name):
            if body is None or not _is_text(found):
                _LOG.warning("Dropping an id without a message from queue %s.", queue_name)
                self.do_ack(queue_name, found)
            else:
                pairs.append((found.decode(), body))
        return pairs

    def _readable(self, queue_name: str, redis_message_id: str, body: bytes) -> bytes:
        try:
            self._check(queue_name, redis_message_id, self.encoder.open(body))
        except UnreadableMessage as error:
            return self.encoder.encode(
                quarantine_fields(queue_name, redis_message_id, error.detail, body[:_KEPT_BYTES])
            )
        return body

    def _check(self, queue_name: str, redis_message_id: str, fields: MessageData) -> None:
        # Options steer Dramatiq: retries, delays, callbacks. Ours come from the catalogue alone.
        options = dict(fields["options"])
        asked_by = options.pop(REQUESTER_OPTION, None)
        if options != {"redis_message_id": redis_message_id}:
            raise UnreadableMessage("Its options are not its own redis_message_id alone.")
        if asked_by is not None and not is_requester(asked_by):
            raise UnreadableMessage("Its requester is not the id of an API key.")
        if fields["queue_name"] != queue_name:
            raise UnreadableMessage("It was meant for another queue.")
        actor = self.actors.get(fields["actor_name"])
        if actor is None or actor.queue_name != queue_name:
            raise UnreadableMessage("No actor of this queue has the name that it gives.")

    def _dispatch(self, command: str) -> Callable[..., Any]:
        """Run one of Dramatiq's commands; its consumers know how to wait for a lost connection."""
        dispatch = super()._dispatch(command)  # type: ignore[no-untyped-call]

        def do_dispatch(queue_name: str, *arguments: Any) -> Any:
            with _passing_faults_are_lost_connections():
                return dispatch(queue_name, *arguments)

        return do_dispatch


class WatchedConsumer(Consumer):
    """Another consumer that sleeps by a bell, and keeps account of what worker threads hold."""

    def __init__(
        self, consumer: Consumer, in_hand: set[str], bell: threading.Event, seconds: float
    ) -> None:
        """Take the consumer that does the work, the ids to keep, the bell and the longest sleep."""
        self._consumer = consumer
        self._in_hand = in_hand
        self._bell = bell
        self._seconds = seconds

    def __next__(self) -> MessageProxy | None:
        """Return the next message, or None after a sleep because there was none."""
        # Cleared before the look, so that a ring between the look and the sleep ends the sleep.
        self._bell.clear()
        message = next(self._consumer)
        if message is None:
            self._bell.wait(self._seconds)
        else:
            self._in_hand.add(_id_of(message))
        return message

    def ack(self, message: MessageProxy) -> None:
        """Take a message off the queue for good."""
        self._consumer.ack(message)
        self._let_go([message])

    def nack(self, message: MessageProxy) -> None:
        """Move a message to the dead letters."""
        self._consumer.nack(message)
        self._let_go([message])

    def requeue(self, messages: Iterable[MessageProxy]) -> None:
        """Give messages back to the queue, as a worker that stops does."""
        given = list(messages)
        self._consumer.requeue(given)
        self._let_go(given)

    def _let_go(self, messages: Iterable[MessageProxy]) -> None:
        self._in_hand.difference_update(map(_id_of, messages))
        # There is room for another message, which nobody rings for while we are at work.
        self._bell.set()

    def close(self) -> None:
        """Close the consumer beneath."""
        self._consumer.close()


def _id_of(message: MessageProxy) -> str:
    return cast("str", message.options["redis_message_id"])


def _is_text(found: bytes) -> bool:
    try:
        found.decode()
    except UnicodeDecodeError:
        return False
    return True
