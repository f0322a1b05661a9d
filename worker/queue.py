"""Queue client of the service: the client of `catfeeder` that any other app uses, too."""

from __future__ import annotations

from typing import Final

from catfeeder.client import Client
from catfeeder.queue.redis_connection import connect_redis
from catfeeder.sealing import QUEUE_LABEL, KeyRing, Sealer
from config import Settings

#: A caller learns early that the queue hangs, and asks again; a worker waits longer.
_REPLY_TIMEOUT_SECONDS: Final = 2.0


def queue_sealer(settings: Settings) -> Sealer:
    """Return the sealer with the queue key of SECRET_KEY and of each earlier one.

    Raises:
        ConfigurationError: SECRET_KEY is missing.
    """
    return KeyRing(settings.secret_keys()).sealer(QUEUE_LABEL)


def connect_queue(settings: Settings) -> Client:
    """Return the client of this service's queue.

    Raises:
        ConfigurationError: SECRET_KEY or REDIS_URL is missing.
        QueueUnreachable: REDIS_URL is not a URL of Redis.
    """
    client = connect_redis(settings.required_redis_url(), reply_timeout=_REPLY_TIMEOUT_SECONDS)
    return Client(client, queue_sealer(settings))
