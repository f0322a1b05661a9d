"""Batched job lookup: the jobs that many requests wait for are read in one round trip.

No thread is held: while Redis hangs, the pool stays free for requests that need the database alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import redis
from redis.asyncio import Redis

from catfeeder.errors import QueueUnreachable
from catfeeder.queue.jobs.scripts import job_key
from catfeeder.queue.jobs.store import JobReader, JobRecord
from catfeeder.queue.redis.connection import translate_redis_errors
from catfeeder.queue.redis.faults import is_of_other_type
from worker.http.asgi.batcher import Batcher

#: Redis answers within a millisecond. A caller learns soon that it hangs.
_TIMEOUT_SECONDS: Final = 2.0


class BatchedJobReader:
    """Finds jobs by their ids."""

    def __init__(
        self, redis: Redis, reader: JobReader, timeout_seconds: float = _TIMEOUT_SECONDS
    ) -> None:
        self._redis = redis
        self._reader = reader
        self._timeout_seconds = timeout_seconds
        self._batcher = Batcher(self._read_all)

    async def find(self, job_id: str) -> JobRecord | None:
        """Return the record, or None when there is none (any more).

        Raises:
            QueueUnreachable: Redis did not answer.
        """
        fields = await self._batcher.ask(job_id)
        if is_of_other_type(fields):
            return None
        with translate_redis_errors():
            if isinstance(fields, redis.RedisError):
                raise fields
        return self._reader.read_hash(job_id, fields)

    async def _read_all(self, job_ids: list[str]) -> list[Mapping[bytes, bytes] | redis.RedisError]:
        pipeline: Any = self._redis.pipeline(transaction=False)
        for job_id in job_ids:
            # What a URL held may be half a surrogate pair: such an id fails for itself alone.
            pipeline.hgetall(job_key(job_id).encode(errors="surrogatepass"))
        try:
            with translate_redis_errors():
                async with asyncio.timeout(self._timeout_seconds):
                    found: list[Any] = await pipeline.execute(raise_on_error=False)
        except TimeoutError as error:
            raise QueueUnreachable from error
        return found
