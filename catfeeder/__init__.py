"""The client of Cat Feeder's auth worker: `connect`, ask for a job, take its result."""

from __future__ import annotations

from typing import TYPE_CHECKING

from catfeeder.errors import CatFeederError, JobFailed, JobTimeout, QueueUnreachable
from catfeeder.sealing import Sealer, Secret, key_from_text

if TYPE_CHECKING:
    from catfeeder.client import Client

__all__ = [
    "CatFeederError",
    "JobFailed",
    "JobTimeout",
    "QueueUnreachable",
    "Secret",
    "connect",
]


def connect(redis_url: str, queue_key: str) -> Client:
    """Return a client of the service whose Redis is at `redis_url` (redis://, rediss:// or unix://).

    `queue_key` is what `python -m worker queue-key` prints beside the service: it lets its holder
    ask for jobs and read their results, and opens nothing that is stored in the database. While
    the service's SECRET_KEY is being changed, give both keys with a comma between: requests are
    sealed with the first, and results of either are read.

    Raises:
        InvalidQueueKey: The key is not of that form.
        QueueUnreachable: The URL is not one of Redis. Whether a server answers shows at the first
            call.
    """
    # Those who only seal or raise, as the database layer does, need neither Dramatiq nor redis.
    from catfeeder.client import Client
    from catfeeder.redis_connection import connect_redis

    keys = [key_from_text(text) for text in queue_key.split(",")]
    return Client(connect_redis(redis_url), Sealer(keys))
