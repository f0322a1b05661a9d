"""Connection to Redis or Valkey, with every timeout and retry spelled out."""

from __future__ import annotations

import math
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, NamedTuple, cast

import redis
from redis import DriverInfo
from redis.asyncio import Redis as AsyncRedis
from redis.asyncio.retry import Retry as AsyncRetry
from redis.asyncio.sentinel import Sentinel as AsyncSentinel
from redis.backoff import NoBackoff
from redis.exceptions import OutOfMemoryError, ReadOnlyError
from redis.retry import Retry
from redis.sentinel import Sentinel

from catfeeder.errors import QueueFull, QueueUnreachable, QueueUnusable
from catfeeder.queue.redis.faults import describe_absence, describe_refusal
from catfeeder.queue.redis.url import read_redis_url, translate_url_errors

#: redis-py 8 retries ten times by default. Enqueueing is not idempotent: a retried send that the
#: server had already taken would run twice, so the caller learns of a lost answer instead.
_NO_RETRIES: Final = 0
#: Longer than a pause of the server that workers must survive.
_REPLY_TIMEOUT_SECONDS: Final = 15.0
_DRIVER: Final = DriverInfo(lib_version=redis.__version__)
_OPTIONS: Final[dict[str, Any]] = {
    "socket_timeout": _REPLY_TIMEOUT_SECONDS,
    "socket_connect_timeout": 2,
    "health_check_interval": 30,
    # Each thread that waits for a job holds one. From redis-py's own limit of 100 on, a server that
    # is well would look as if it were away; this is the server's.
    "max_connections": 10_000,
    # Else each connection looks its own package's version up among all that are installed.
    "driver_info": _DRIVER,
}
#: A peer that vanished without a word, such as behind a firewall that forgot the connection, shows
#: within two minutes; the system's own times are hours.
_KEEPALIVE_TIMES: Final = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 4}
_KEEPALIVE: Final[dict[str, Any]] = {
    "socket_keepalive": True,
    "socket_keepalive_options": {
        getattr(socket, name): value
        for name, value in _KEEPALIVE_TIMES.items()
        if hasattr(socket, name)
    },
}
#: A sentinel that hangs must not keep the client from the next one.
_SENTINEL_OPTIONS: Final[dict[str, Any]] = {
    "socket_timeout": 2,
    "socket_connect_timeout": 2,
    "driver_info": _DRIVER,
}
#: The replies of a server that takes no writes for now; redis-py has no errors of these names.
_TRANSIENT_CODES: Final = ("MISCONF", "NOREPLICAS", "MASTERDOWN", "BUSY")
#: The error reply of the script that sends, for a queue that takes no more.
QUEUE_FULL: Final = "QUEUEFULL"


class _MasterClient(redis.Redis):
    """A client of whichever server the sentinels call the master."""

    def close(self) -> None:
        """Close the connections to the sentinels as well."""
        super().close()
        cast("Any", self.connection_pool).sentinel_manager.close()


class _AsyncMasterClient(AsyncRedis):
    """The asyncio twin of `_MasterClient`."""

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        """Close the connections to the sentinels as well."""
        await super().aclose(close_connection_pool)
        await cast("Any", self.connection_pool).sentinel_manager.aclose()


class _Classes(NamedTuple):
    """What differs between clients for threads and for asyncio."""

    client: Any
    master_client: Any
    sentinel: Any
    retry: Any


_SYNC: Final = _Classes(redis.Redis, _MasterClient, Sentinel, Retry)
_ASYNC: Final = _Classes(AsyncRedis, _AsyncMasterClient, AsyncSentinel, AsyncRetry)


def connect_redis(url: str, *, reply_timeout: float = _REPLY_TIMEOUT_SECONDS) -> redis.Redis:
    """Return a client for `url`, in a form of `read_redis_url`; it connects on first use.

    `reply_timeout` is how many seconds it waits for the reply to a command.

    Raises:
        QueueUnreachable: The URL is not one that the client knows.
    """
    return cast("redis.Redis", _connect(url, reply_timeout, _SYNC))


def connect_redis_async(url: str, *, reply_timeout: float = _REPLY_TIMEOUT_SECONDS) -> AsyncRedis:
    """Return the asyncio twin of `connect_redis`."""
    return cast("AsyncRedis", _connect(url, reply_timeout, _ASYNC))


def _connect(url: str, reply_timeout: float, classes: _Classes) -> Any:
    retry = classes.retry(NoBackoff(), _NO_RETRIES)
    # A unix socket ends with its server, and knows no such option.
    keepalive = {} if url.startswith("unix:") else _KEEPALIVE
    options = {**_OPTIONS, **keepalive, "socket_timeout": reply_timeout, "retry": retry}
    address = read_redis_url(url)
    with translate_url_errors():
        if address is None:
            client = classes.client.from_url(url, **options)
        else:
            sentinel_options = {**_SENTINEL_OPTIONS, **address.sentinel_options, "retry": retry}
            sentinel = classes.sentinel(address.hosts, sentinel_kwargs=sentinel_options)
            options |= {**address.options, "retry": retry}
            client = sentinel.master_for(address.service, classes.master_client, **options)
        # Made, and not connected: else an unknown option is an error of the first command.
        client.connection_pool.make_connection()
        _check_options(client.connection_pool.connection_kwargs)
    return client


def _check_options(options: Mapping[str, Any]) -> None:
    """Refuse what redis-py takes from a URL, and no command of ours works with."""
    for name in ("decode_responses", "single_connection_client"):
        if options.get(name):
            raise ValueError(f"value for '{name}'")
    for name in ("socket_timeout", "socket_connect_timeout"):
        if not 0 < (options.get(name) or 1) < math.inf or options.get(name) == 0:
            raise ValueError(f"value for '{name}'")


@contextmanager
def translate_redis_errors() -> Iterator[None]:
    """Raise `QueueUnreachable` for errors of the connection, timeouts included.

    `QueueUnusable` stands for a server that answers and refuses what jobs need, `QueueFull` for a
    queue at its limit. A server that is full, or a replica, is as good as gone.
    """
    try:
        yield
    except redis.RedisError as error:
        if (refusal := describe_refusal(error)) is not None:
            raise QueueUnusable(refusal) from error
        if isinstance(error, redis.ConnectionError | redis.TimeoutError):
            raise QueueUnreachable(describe_absence(error)) from error
        if str(error) == QUEUE_FULL:
            raise QueueFull from None
        if not is_transient(error):
            raise
        raise QueueUnreachable(
            "The queue takes no messages: the Redis of REDIS_URL is out of memory or read-only."
        ) from error


def is_transient(error: redis.RedisError) -> bool:
    """Return whether the same command may succeed later, as after a lost connection.

    The server is slow, a replica now, out of memory, cannot write to its disk, or lacks replicas.
    """
    lost = (redis.ConnectionError, redis.TimeoutError, OutOfMemoryError, ReadOnlyError)
    is_lost = isinstance(error, lost) or str(error).startswith(_TRANSIENT_CODES)
    # A right that our user lacks may be granted while a result waits for it.
    return is_lost or describe_refusal(error) is not None
