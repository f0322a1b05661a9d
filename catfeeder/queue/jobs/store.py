"""Job store: reads and changes what Redis holds of a job."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final, cast

import redis
from redis.exceptions import OutOfMemoryError

from catfeeder.queue.envelope import QueueSealer
from catfeeder.queue.jobs.index import build_addition
from catfeeder.queue.jobs.parts import JobRun, open_end, open_record, seal_end, seal_start
from catfeeder.queue.jobs.records import JobError, JobRecord, JobStatus, unwrap_result
from catfeeder.queue.jobs.scripts import (
    build_cancellation,
    build_end,
    build_start,
    ended_key,
    job_key,
)
from catfeeder.queue.lua_scripts import Call, call_script, call_scripts
from catfeeder.queue.redis.connection import translate_redis_errors
from catfeeder.queue.redis.faults import is_of_other_type
from catfeeder.queue.redis.idle_connections import borrow_connection

__all__ = [
    "JobError",
    "JobReader",
    "JobRecord",
    "JobRun",
    "JobStatus",
    "JobStore",
    "unwrap_result",
]

#: A client that waits looks this often as well: well within any timeout of a connection.
_POLL_INTERVAL_SECONDS: Final = 1.0
#: How often where the server cannot announce the end: it takes no writes, or is too late for it.
_SHORT_POLL_SECONDS: Final = 0.1
#: Redis ends a wait up to a tenth of a second late (`hz`): half of a shorter timeout is no margin.
_MIN_BLOCKING_TIMEOUT_SECONDS: Final = 0.5


class JobReader:
    """Reads records from what Redis returns, of which the sealed parts alone count."""

    def __init__(self, sealer: QueueSealer) -> None:
        self._sealer = sealer

    def read_hash(self, job_id: str, fields: Mapping[bytes, bytes]) -> JobRecord | None:
        """Return the record whose Redis hash has these fields, or None when it is not one."""
        return open_record(self._sealer, job_id, fields)

    def read_end(self, job: JobRecord, announcement: bytes) -> JobRecord | None:
        """Return the record that was announced at the end of a job; None when it cannot be read."""
        fields = _parse_announcement(announcement)
        if not fields:
            return None
        return open_end(self._sealer, job, fields) or self.read_hash(job.id, fields)

    def build_cancellation(self, record: JobRecord, now: datetime) -> Call:
        """Return the call that cancels a job that was read, and that no worker has begun."""
        run = JobRun(record.id, record.actor, record.redis_message_id or "", record.sealed_by)
        return build_cancellation(run, seal_end(self._sealer, run, JobStatus.CANCELLED, now))


class JobStore(JobReader):
    """Reads and changes job records.

    A record is made by `SealedBroker.enqueue`, in one step with its message. Each change is false,
    and does nothing, where the job's status does not allow it.
    """

    def __init__(
        self,
        client: redis.Redis,
        sealer: QueueSealer,
        *,
        poll_interval: float = _POLL_INTERVAL_SECONDS,
    ) -> None:
        """Read and change what `client` holds; `await_end` polls each `poll_interval` seconds."""
        super().__init__(sealer)
        self._client = client
        timeout = client.connection_pool.connection_kwargs.get("socket_timeout")
        self._may_block = not timeout or timeout >= _MIN_BLOCKING_TIMEOUT_SECONDS
        # The answer to a command that blocks must come before the connection gives it up.
        self._poll_interval = min(poll_interval, timeout / 2) if timeout else poll_interval

    def start(self, run: JobRun, now: datetime) -> bool:
        """Record that a worker begins; false when the job was cancelled or has ended before."""
        start = build_start(run, seal_start(self._sealer, run, now))
        if run.unlisted_app is None:
            return self._run(start)
        with translate_redis_errors():
            index = build_addition(run.unlisted_app, run.job_id)
            began, _ = call_scripts(self._client, [start, index])
            if isinstance(began, Exception):
                raise began
        return bool(began)

    def build_success(self, run: JobRun, result: object, now: datetime) -> Call:
        """Return the call that records and announces the result, which must be JSON data."""
        return self._build_end(run, JobStatus.SUCCEEDED, now, result=result)

    def fail(self, run: JobRun, error: JobError, now: datetime) -> bool:
        """Record and announce why the job failed."""
        told = [error.code, error.detail, error.permanent]
        return self._run(self._build_end(run, JobStatus.FAILED, now, error=told))

    def cancel(self, job_id: str, now: datetime) -> bool:
        """Cancel a job that no worker has begun; false when it is too late or the job unknown."""
        record = self.get(job_id)
        return record is not None and self._run(self.build_cancellation(record, now))

    def _build_end(self, run: JobRun, status: JobStatus, now: datetime, **more: object) -> Call:
        return build_end(run, status.value, seal_end(self._sealer, run, status, now, **more))

    def get(self, job_id: str) -> JobRecord | None:
        """Return the record, or None when there is none (any more).

        Raises:
            QueueUnreachable: Redis did not answer.
        """
        with translate_redis_errors():
            try:
                fields = cast("dict[bytes, bytes]", self._client.hgetall(job_key(job_id)))
            except redis.ResponseError as error:
                if not is_of_other_type(error):
                    raise
                return None
        return self.read_hash(job_id, fields)

    def await_end(self, job: JobRecord, seconds: float) -> JobRecord | None:
        """Return the record when a job ends, or None after `seconds` or the poll interval.

        Raises:
            QueueUnreachable: Redis did not answer.
        """
        # Redis takes a timeout of 0 for none.
        wait = min(max(seconds, 0.001), self._poll_interval)
        if not self._may_block:
            _pause(wait)
            return None
        with translate_redis_errors():
            try:
                announcement = self._block(ended_key(job.id), wait)
            except OutOfMemoryError:
                # To move is to write. While the server refuses that, polling must do.
                _pause(wait)
                return None
            except redis.ResponseError as error:
                # A server that becomes a replica unblocks all clients; the next look is redirected.
                if not str(error).startswith("UNBLOCKED"):
                    raise
                return None
        return None if announcement is None else self.read_end(job, announcement)

    def _block(self, key: str, seconds: float) -> bytes | None:
        with borrow_connection(self._client.connection_pool) as connection:
            # An element that is moved onto itself is there for other clients as well.
            connection.send_command("BLMOVE", key, key, "LEFT", "LEFT", seconds)
            return cast("bytes | None", connection.read_response())

    def _run(self, change: Call) -> bool:
        with translate_redis_errors():
            return bool(call_script(self._client, change))


def _pause(seconds: float) -> None:
    """Let a moment pass; the caller then looks at the job by itself."""
    time.sleep(min(seconds, _SHORT_POLL_SECONDS))


def _parse_announcement(announcement: bytes) -> dict[bytes, bytes]:
    """Return the fields of the hash that was announced; none of what is no announcement."""
    try:
        parts = list(_split_parts(announcement))
        return dict(zip(parts[::2], parts[1::2], strict=True))
    except ValueError:
        return {}


def _split_parts(announcement: bytes) -> Iterator[bytes]:
    """Take apart what the script joined: each part with its length before it."""
    while announcement:
        length, _, rest = announcement.partition(b":")
        yield rest[: int(length)]
        announcement = rest[int(length) :]
