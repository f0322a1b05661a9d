"""Putting a message onto its queue, sealed, whatever else the process does with Dramatiq."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any, Final

import redis
from dramatiq import Message, Middleware
from dramatiq.brokers.redis import RedisBroker

from catfeeder.encoder import SealedEncoder
from catfeeder.messages import MessageType
from catfeeder.redis_connection import unreachable_is_told
from catfeeder.requester import REQUESTER_OPTION, requester

#: All our queues live under this prefix, apart from other Dramatiq programs on the same server.
NAMESPACE: Final = "catfeeder"
#: Longer than a pause of the process or the broker that must not make a job run twice.
_HEARTBEAT_TIMEOUT_MS: Final = 30_000
#: Per million commands. Dramatiq's 1,000 finds a dead worker's messages after many minutes.
_MAINTENANCE_CHANCE: Final = 100_000
#: Dead letters are kept for a day; they are sealed.
_DEAD_MESSAGE_TTL_MS: Final = 24 * 3600 * 1000


class SealedBroker(RedisBroker):
    """A Redis broker that seals what it sends with its own encoder, never with the process's."""

    def __init__(
        self, client: redis.Redis, encoder: SealedEncoder, middleware: Sequence[Middleware] = ()
    ) -> None:
        """Take the Redis client, the encoder, and the middleware; a producer needs none."""
        super().__init__(  # type: ignore[no-untyped-call]
            client=client,
            middleware=list(middleware),
            namespace=NAMESPACE,
            heartbeat_timeout=_HEARTBEAT_TIMEOUT_MS,
            maintenance_chance=_MAINTENANCE_CHANCE,
            dead_message_ttl=_DEAD_MESSAGE_TTL_MS,
        )
        self.encoder = encoder

    def enqueue(self, message: Message[Any], *, delay: int | None = None) -> Message[Any]:
        """Put a message onto its queue and return it as sent.

        Raises:
            ValueError: A delay was asked for. Dramatiq holds delayed messages in a worker's memory
                and loses them with the connection; what must happen later is a row in the database.
            QueueUnreachable: Redis did not answer; the message may or may not have been queued.
        """
        if delay is not None:
            raise ValueError("messages are never delayed: write a row that falls due instead")
        message = message.copy(options={"redis_message_id": str(uuid.uuid4())})
        self.emit_before("enqueue", message, delay)
        body = self.encoder.encode(message.asdict())
        with unreachable_is_told():
            self.do_enqueue(message.queue_name, message.options["redis_message_id"], body)
        self.emit_after("enqueue", message, delay)
        return message

    def depth(self, queue_name: str) -> int:
        """Return how many messages wait on a queue, those being worked on not counted."""
        with unreachable_is_told():
            return int(self.client.llen(f"{NAMESPACE}:{queue_name}"))


def new_message(message_type: MessageType, arguments: dict[str, Any]) -> Message[Any]:
    """Build a message of the catalogue, in the name of whoever asks for what is done now."""
    asked_by = requester.get()
    return Message(
        queue_name=message_type.queue,
        actor_name=message_type.name,
        args=(),
        kwargs=arguments,
        options={} if asked_by is None else {REQUESTER_OPTION: asked_by},
    )
