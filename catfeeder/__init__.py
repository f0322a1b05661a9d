"""Client of Cat Feeder's auth worker: connect, ask for a job, wait for its result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

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

if TYPE_CHECKING:
    from catfeeder.aio import AsyncClient
    from catfeeder.client import Client
    from catfeeder.http_api import HttpApi
    from catfeeder.queue.envelope import AppSealer
    from catfeeder.sealing import Secret

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

#: The one place of the version: the wheel, /health and `--version` have it from here.
__version__: Final = "1.0.0"

#: Redis answers an app's client within this time, or is taken to be away: a person waits, and asks
#: again. A worker, which waits for Redis alone, gives it longer.
_REPLY_TIMEOUT_SECONDS: Final = 5.0

# A process that only raises our errors, as one that reads the settings does, needs no cryptography,
# Dramatiq or redis: the functions below import what they need, and so does `Secret` (PEP 562).
if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        """Import `Secret` at its first use."""
        if name != "Secret":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from catfeeder.sealing import Secret

        return Secret


def connect(
    redis_url: str, queue_key: str, *, api_url: str | None = None, api_key: str | None = None
) -> Client:
    """Return a client of the service whose queue is at `redis_url`.

    That is redis://, rediss://, unix:// or redis+sentinel:// (`catfeeder.queue.redis.url`).
    `queue_key` is what `python -m worker keys queue --app ID` prints beside the service. It lets
    its holder ask for jobs in the name of that app and read their results; it opens nothing of
    another app, and nothing that is stored in the database. While it is being replaced, since it
    was revoked or SECRET_KEY changes, give both keys with a comma between: requests are sealed with
    the first, and results of either are read.

    `api_url` and `api_key`, the service's HTTP address and a key of `python -m worker keys make`,
    are for `authorize` (scope `jobs`) and `access_token` (scope `tokens:read`) alone.

    Raises:
        InvalidQueueKey, InvalidApiUrl, InvalidApiKey: What was given is not of that form.
        QueueUnreachable: The URL is not one of Redis. Whether a server answers shows at the first
            call.
    """
    from catfeeder.client import Client
    from catfeeder.queue.redis.connection import connect_redis

    sealer, api = _build_sealer(queue_key), _build_api(api_url, api_key)
    return Client(connect_redis(redis_url, reply_timeout=_REPLY_TIMEOUT_SECONDS), sealer, api)


def connect_async(
    redis_url: str, queue_key: str, *, api_url: str | None = None, api_key: str | None = None
) -> AsyncClient:
    """Return the asyncio twin of `connect`, for the tasks of one event loop."""
    from catfeeder.aio import AsyncClient
    from catfeeder.queue.redis.connection import connect_redis_async

    sealer, api = _build_sealer(queue_key), _build_api(api_url, api_key)
    redis = connect_redis_async(redis_url, reply_timeout=_REPLY_TIMEOUT_SECONDS)
    return AsyncClient(redis, sealer, api)


def _build_sealer(queue_key: str) -> AppSealer:
    from catfeeder.queue.envelope import AppSealer
    from catfeeder.queue.keys import AppKey

    return AppSealer([AppKey.parse(text) for text in queue_key.split(",")])


def _build_api(api_url: str | None, api_key: str | None) -> HttpApi | None:
    if api_url is None or api_key is None:
        return None
    from catfeeder.http_api import HttpApi

    return HttpApi(api_url, api_key)
