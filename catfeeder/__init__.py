"""The client of Cat Feeder's auth worker: `connect`, ask for a job, take its result."""

from __future__ import annotations

from typing import TYPE_CHECKING

from catfeeder.errors import (
    ApiNotGiven,
    CatFeederError,
    InvalidApiKey,
    InvalidApiUrl,
    InvalidQueueKey,
    JobCancelled,
    JobExpired,
    JobFailed,
    JobTimeout,
    MessageTooLarge,
    QueueUnreachable,
    RequestRefused,
    ServiceUnreachable,
)
from catfeeder.sealing import Sealer, Secret, key_from_text

if TYPE_CHECKING:
    from catfeeder.aio import AsyncClient
    from catfeeder.client import Client
    from catfeeder.http_api import HttpApi

__all__ = [
    "ApiNotGiven",
    "CatFeederError",
    "InvalidApiKey",
    "InvalidApiUrl",
    "InvalidQueueKey",
    "JobCancelled",
    "JobExpired",
    "JobFailed",
    "JobTimeout",
    "MessageTooLarge",
    "QueueUnreachable",
    "RequestRefused",
    "Secret",
    "ServiceUnreachable",
    "connect",
    "connect_async",
]

#: A person waits for who asks here, and asks again. A worker, which waits for Redis alone, does so
#: for longer.
_PATIENCE_SECONDS = 5.0

# Those who only seal or raise, as the database layer does, need neither Dramatiq nor redis: the
# functions below import what they need.


def connect(
    redis_url: str, queue_key: str, *, api_url: str | None = None, api_key: str | None = None
) -> Client:
    """Return a client of the service whose queue is at `redis_url`.

    That is redis://, rediss://, unix:// or redis+sentinel://, as `catfeeder.redis_url` has them.
    `queue_key` is what `python -m worker queue-key` prints beside the service: it lets its holder
    ask for jobs and read their results, and opens nothing that is stored in the database. While
    the service's SECRET_KEY is being changed, give both keys with a comma between: requests are
    sealed with the first, and results of either are read.

    `api_url` and `api_key`, the service's HTTP address and a key of `python -m worker make-key`,
    are for `authorize` (scope `jobs`) and `access_token` (scope `tokens:read`) alone.

    Raises:
        InvalidQueueKey, InvalidApiUrl, InvalidApiKey: What was given is not of that form.
        QueueUnreachable: The URL is not one of Redis. Whether a server answers shows at the first
            call.
    """
    from catfeeder.client import Client
    from catfeeder.redis_connection import connect_redis

    sealer, api = _sealer(queue_key), _api(api_url, api_key)
    return Client(connect_redis(redis_url, reply_timeout=_PATIENCE_SECONDS), sealer, api)


def connect_async(
    redis_url: str, queue_key: str, *, api_url: str | None = None, api_key: str | None = None
) -> AsyncClient:
    """Return the asyncio twin of `connect`, for the tasks of one event loop."""
    from catfeeder.aio import AsyncClient
    from catfeeder.redis_connection import connect_redis_async

    sealer, api = _sealer(queue_key), _api(api_url, api_key)
    redis = connect_redis_async(redis_url, reply_timeout=_PATIENCE_SECONDS)
    return AsyncClient(redis, sealer, api)


def _sealer(queue_key: str) -> Sealer:
    return Sealer([key_from_text(text) for text in queue_key.split(",")])


def _api(api_url: str | None, api_key: str | None) -> HttpApi | None:
    if api_url is None or api_key is None:
        return None
    from catfeeder.http_api import HttpApi

    return HttpApi(api_url, api_key)
