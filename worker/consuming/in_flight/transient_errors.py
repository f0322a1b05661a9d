"""Transient errors of Redis, as the one error that Dramatiq's threads retry."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import redis
from dramatiq.errors import ConnectionClosed

from catfeeder.queue.redis.connection import is_transient
from catfeeder.queue.redis.faults import describe_loss


@contextmanager
def translate_transient_errors() -> Iterator[None]:
    """Raise `ConnectionClosed`, the one error that Dramatiq retries, for faults of Redis that pass.

    Raises:
        ConnectionClosed: Redis did not answer, or cannot write at the moment.
        redis.RedisError: Waiting does not help.
    """
    try:
        yield
    except redis.RedisError as error:
        if not is_transient(error):
            raise
        raise ConnectionClosed(
            f"Redis cannot be used at the moment: {describe_loss(error)}."
        ) from error
