"""Queue client of the service: that of any app, with the service's own key and every app's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from catfeeder.client import Client
from catfeeder.queue.envelope import ServiceSealer
from catfeeder.queue.keys import KeyName
from catfeeder.queue.redis.connection import connect_redis
from config import Settings
from worker.queue.roots import list_queue_roots

#: A caller learns early that the queue hangs, and asks again; a worker waits longer.
_REPLY_TIMEOUT_SECONDS: Final = 2.0


def queue_sealer(
    settings: Settings, check: Callable[[KeyName], None] | None = None
) -> ServiceSealer:
    """Return the sealer with the queue keys of SECRET_KEY and of each earlier one.

    `check` raises SealBroken for an app's key that was revoked.

    Raises:
        ConfigurationError: SECRET_KEY is missing.
    """
    return ServiceSealer(list_queue_roots(settings), check)


def connect_queue(settings: Settings) -> Client:
    """Return the client of this service's queue.

    Raises:
        ConfigurationError: SECRET_KEY or REDIS_URL is missing.
        QueueUnreachable: REDIS_URL is not a URL of Redis.
    """
    client = connect_redis(settings.required_redis_url(), reply_timeout=_REPLY_TIMEOUT_SECONDS)
    return Client(client, queue_sealer(settings))
