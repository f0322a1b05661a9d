"""Sets aside what stood on a queue and cannot be performed, so that an operator can look at it."""

from __future__ import annotations

import logging
from typing import Any, Final, cast

import dramatiq

from catfeeder.broker import SealedBroker
from catfeeder.encoder import quarantine_fields
from catfeeder.redis_connection import unreachable_is_told

_LOG = logging.getLogger(__name__)
_KEY: Final = "catfeeder:quarantine"
#: The latest ones tell what is wrong; a flood of them must not fill the broker's memory.
_MOST: Final = 100
_TTL_SECONDS: Final = 7 * 24 * 3600


def quarantine(queue: str, redis_message_id: str, reason: str, body: bytes) -> None:
    """Perform the message of the same name: log it, and keep it sealed for a week.

    What cannot be opened may be another app's plaintext, so it is never kept as it came.
    """
    # The id is whatever somebody wrote into Redis; its repr cannot break out of the log line.
    _LOG.error("Set aside %r from queue %s: %s", redis_message_id, queue, reason)
    broker = _broker()
    kept = broker.encoder.encode(quarantine_fields(queue, redis_message_id, reason, body))
    with unreachable_is_told(), broker.client.pipeline() as pipe:
        pipe.lpush(_KEY, kept)
        pipe.ltrim(_KEY, 0, _MOST - 1)
        pipe.expire(_KEY, _TTL_SECONDS)
        pipe.execute()


def set_aside() -> list[dict[str, Any]]:
    """Return what is in quarantine, the latest first, as the arguments of `quarantine`."""
    broker = _broker()
    with unreachable_is_told():
        kept = cast("list[bytes]", broker.client.lrange(_KEY, 0, -1))
    return [broker.encoder.open(sealed)["kwargs"] for sealed in kept]


def _broker() -> SealedBroker:
    return cast("SealedBroker", dramatiq.get_broker())
