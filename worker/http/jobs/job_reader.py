"""Looking jobs up, those of many requests in one round trip and none in a thread.

While Redis hangs, requests that look for jobs would else keep every thread from those that need
the database alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import redis
from redis.asyncio import Redis

from catfeeder.errors import QueueUnreachable
from catfeeder.job_scripts import job_key
from catfeeder.jobs import JobReader, JobRecord
from catfeeder.redis_connection import translate_redis_errors
from worker.http.asgi.batching import Batcher

#: Redis answers within a millisecond. Who asks is told soon that it hangs.
_TIMEOUT_SECONDS: Final = 2.0


class BatchedJobReader:
    """Finds jobs by their ids."""

    def __init__(self, redis: Redis, reader: JobReader) -> None:
        """Take the connection to look by, and what makes sense of what is found."""
        self._redis = redis
        self._reader = reader
        self._batches = Batcher(self._found)

    async def find(self, job_id: str) -> JobRecord | None:
        """Return the record, or None when there is none (any more).

        Raises:
            QueueUnreachable: Redis did not answer.
            SealBroken: The record was written with another queue key.
        """
        fields = await self._batches.ask(job_id)
        with translate_redis_errors():
            if isinstance(fields, redis.RedisError):
                raise fields
        return self._reader.read_hash(job_id, fields)

    async def _found(self, job_ids: list[str]) -> list[Mapping[bytes, bytes] | redis.RedisError]:
        looks: Any = self._redis.pipeline(transaction=False)
        for job_id in job_ids:
            looks.hgetall(job_key(job_id))
        try:
            with translate_redis_errors():
                async with asyncio.timeout(_TIMEOUT_SECONDS):
                    found: list[Any] = await looks.execute(raise_on_error=False)
        except TimeoutError as error:
            raise QueueUnreachable from error
        return found
