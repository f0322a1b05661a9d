"""The connection to Redis or Valkey, with every timeout and retry spelled out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import redis
from redis.asyncio import Redis as AsyncRedis
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.exceptions import OutOfMemoryError, ReadOnlyError
from redis.retry import Retry

from catfeeder.errors import QueueUnreachable

#: redis-py 8 retries ten times by default. Enqueueing is not idempotent: a retried send that the
#: server had already taken would run twice, so a lost answer is told to the caller instead.
_NO_RETRIES: Final = 0
_OPTIONS: Final[dict[str, Any]] = {
    "socket_timeout": 15,
    "socket_connect_timeout": 2,
    "health_check_interval": 30,
}


def connect_redis(url: str) -> redis.Redis:
    """Return a client for `url` (redis://, rediss:// or unix://); it connects on first use.

    Raises:
        QueueUnreachable: The URL is not one that the client knows.
    """
    try:
        return redis.Redis.from_url(url, retry=Retry(NoBackoff(), _NO_RETRIES), **_OPTIONS)
    except ValueError as error:
        raise _bad_url(error) from None


def connect_redis_async(url: str) -> AsyncRedis:
    """Return the asyncio twin of `connect_redis`."""
    try:
        return AsyncRedis.from_url(url, retry=AsyncRetry(NoBackoff(), _NO_RETRIES), **_OPTIONS)
    except ValueError as error:
        raise _bad_url(error) from None


def _bad_url(error: ValueError) -> QueueUnreachable:
    return QueueUnreachable(f"REDIS_URL is not a URL of a Redis server: {error}.")


@contextmanager
def unreachable_is_told() -> Iterator[None]:
    """Turn the client's connection errors, timeouts included, into `QueueUnreachable`.

    A server that is full, or a replica that takes no writes, is as good as gone.
    """
    try:
        yield
    except (redis.ConnectionError, redis.TimeoutError) as error:
        raise QueueUnreachable from error
    except (OutOfMemoryError, ReadOnlyError) as error:
        raise QueueUnreachable(
            "The queue takes no messages: the Redis of REDIS_URL is out of memory or read-only."
        ) from error
