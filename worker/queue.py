"""This process's way onto the queue: the client of `catfeeder`, as any other app has it."""

from __future__ import annotations

from catfeeder.client import Client
from catfeeder.redis_connection import connect_redis
from catfeeder.sealing import QUEUE_LABEL, Sealer, Secret, derive_key
from config import Settings


def queue_sealer(settings: Settings) -> Sealer:
    """Return the sealer that holds the queue key.

    Raises:
        ConfigurationError: SECRET_KEY is missing or too short.
    """
    return Sealer([derive_key(Secret(settings.required_secret_key()), QUEUE_LABEL)])


def connect_queue(settings: Settings) -> Client:
    """Return the client of this service's queue.

    Raises:
        ConfigurationError: SECRET_KEY or REDIS_URL is missing.
        QueueUnreachable: REDIS_URL is not a URL of Redis.
    """
    return Client(connect_redis(settings.required_redis_url()), queue_sealer(settings))
