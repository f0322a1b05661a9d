"""Job record: what Redis holds of a job from its request until an hour after its end."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, cast

import redis
from redis.exceptions import OutOfMemoryError

from catfeeder.errors import JobCancelled, JobFailed, JobTimeout, SealBroken
from catfeeder.queue.envelope import QueueSealer
from catfeeder.queue.job_scripts import (
    build_cancellation,
    build_end,
    build_start,
    ended_key,
    job_key,
)
from catfeeder.queue.keys import KeyName
from catfeeder.queue.lua_scripts import Call, call_script
from catfeeder.queue.redis_connection import translate_redis_errors
from catfeeder.queue.requester import DEFAULT_APP

#: A client that waits looks this often as well: well within any timeout of a connection.
_POLL_INTERVAL_SECONDS: Final = 1.0
_POLL_WHEN_FULL_SECONDS: Final = 0.1


class JobStatus(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether the job has ended."""
        return self not in (JobStatus.QUEUED, JobStatus.RUNNING)


@dataclass(frozen=True, slots=True)
class JobError:
    """Why a job failed: a code, a sentence, and whether a repeat would fail too."""

    code: str
    detail: str
    permanent: bool


@dataclass(frozen=True, slots=True)
class JobRecord:
    """All that is known of a job; times are in UTC, `result` is JSON data."""

    id: str
    actor: str
    queue: str
    status: JobStatus
    enqueued_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    result: Any = None
    error: JobError | None = None
    app: str = DEFAULT_APP
    #: The key that result or error was sealed with; None before the end.
    sealed_by: KeyName | None = None


def unwrap_result(record: JobRecord) -> Any:
    """Return the result of a job that was waited for.

    Raises:
        JobTimeout: It has not ended.
        JobFailed: It failed; the error carries the worker's code and sentence.
        JobCancelled: It was cancelled.
    """
    if record.error is not None:
        error = record.error
        raise JobFailed(error.code, error.detail, permanent=error.permanent)
    if record.status is JobStatus.CANCELLED:
        raise JobCancelled
    if not record.status.is_final:
        raise JobTimeout
    return record.result


class JobReader:
    """Reads records from what Redis returns; results and errors are sealed for their job."""

    def __init__(self, sealer: QueueSealer) -> None:
        self._sealer = sealer

    def read_hash(self, job_id: str, fields: Mapping[bytes, bytes]) -> JobRecord | None:
        """Return the record whose Redis hash has these fields, or None when it is not one.

        Raises:
            SealBroken: The result was sealed with another queue key, or by an app that the job is
                not of.
        """
        return self._parse(job_id, fields) if b"enqueued_at" in fields else None

    def read_announcement(self, job_id: str, announcement: bytes) -> JobRecord | None:
        """Return the record that was announced at a job's end; None when it cannot be read."""
        try:
            parts = list(_split_parts(announcement))
            return self._parse(job_id, dict(zip(parts[::2], parts[1::2], strict=True)))
        except (KeyError, ValueError, SealBroken):
            return None

    def _parse(self, job_id: str, fields: Mapping[bytes, bytes]) -> JobRecord:
        app = fields.get(b"app", DEFAULT_APP.encode()).decode()
        error, sealed_by = self._open(job_id, app, fields.get(b"error"))
        result, sealed_by = self._open(job_id, app, fields.get(b"result"), sealed_by)
        return JobRecord(
            id=job_id,
            actor=fields[b"actor"].decode(),
            queue=fields[b"queue"].decode(),
            status=JobStatus(fields[b"status"].decode()),
            enqueued_at=datetime.fromisoformat(fields[b"enqueued_at"].decode()),
            started_at=_parse_time(fields.get(b"started_at")),
            finished_at=_parse_time(fields.get(b"finished_at")),
            result=result,
            error=JobError(*error) if error else None,
            app=app,
            sealed_by=sealed_by,
        )

    def _open(
        self, job_id: str, app: str, sealed: bytes | None, otherwise: KeyName | None = None
    ) -> tuple[Any, KeyName | None]:
        """Return a result or error, and the key that it was sealed with."""
        if sealed is None:
            return None, otherwise
        plaintext, key = self._sealer.open(sealed, f"job:{job_id}")
        if self._sealer.own.is_service and key.app not in ("", app):
            raise SealBroken("The result of this job was sealed by an app that it is not of.")
        # Without the marks of messages: a provider's profile may hold what looks like one.
        return json.loads(plaintext), key


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
        # The answer to a command that blocks must come before the connection gives it up.
        self._poll_interval = min(poll_interval, timeout / 2) if timeout else poll_interval

    def start(self, job_id: str, actor: str, queue: str, now: datetime) -> bool:
        """Record that a worker begins; false when the job was cancelled or has ended before."""
        return self._run(build_start(job_id, actor, queue, now))

    def build_success(
        self, job_id: str, result: object, now: datetime, key: KeyName | None = None
    ) -> Call:
        """Return the call that records and announces the result, which must be JSON data.

        It is sealed with the own key, or with `key`, that which the job was asked for with.
        """
        sealed = self._seal(job_id, result, key)
        return build_end(job_id, JobStatus.SUCCEEDED.value, now, {"result": sealed})

    def fail(self, job_id: str, error: JobError, now: datetime, key: KeyName | None = None) -> bool:
        """Record and announce why the job failed, sealed as `build_success` seals a result."""
        sealed = self._seal(job_id, [error.code, error.detail, error.permanent], key)
        return self._run(build_end(job_id, JobStatus.FAILED.value, now, {"error": sealed}))

    def cancel(self, job_id: str, now: datetime) -> bool:
        """Cancel a job that no worker has begun; false when it is too late or the job unknown."""
        return self._run(build_cancellation(job_id, now))

    def get(self, job_id: str) -> JobRecord | None:
        """Return the record, or None when there is none (any more).

        Raises:
            QueueUnreachable: Redis did not answer.
            SealBroken: The record was written with another queue key.
        """
        with translate_redis_errors():
            fields = cast("dict[bytes, bytes]", self._client.hgetall(job_key(job_id)))
        return self.read_hash(job_id, fields)

    def await_end(self, job_id: str, seconds: float) -> JobRecord | None:
        """Return the record when a job ends, or None after `seconds` or the poll interval.

        Raises:
            QueueUnreachable: Redis did not answer.
        """
        # Redis takes a timeout of 0 for none.
        wait = min(max(seconds, 0.001), self._poll_interval)
        with translate_redis_errors():
            try:
                announcement = self._block(ended_key(job_id), wait)
            except OutOfMemoryError:
                # To move is to write. While the server refuses that, polling must do.
                time.sleep(min(wait, _POLL_WHEN_FULL_SECONDS))
                return None
            except redis.ResponseError as error:
                # A server that becomes a replica unblocks all clients; the next look is redirected.
                if not str(error).startswith("UNBLOCKED"):
                    raise
                return None
        return None if announcement is None else self.read_announcement(job_id, announcement)

    def _block(self, key: str, seconds: float) -> bytes | None:
        # An element that is moved onto itself is there for other clients as well.
        moved = self._client.execute_command("BLMOVE", key, key, "LEFT", "LEFT", seconds)
        return cast("bytes | None", moved)

    def _run(self, change: Call) -> bool:
        with translate_redis_errors():
            return bool(call_script(self._client, change))

    def _seal(self, job_id: str, value: object, key: KeyName | None) -> bytes:
        text = json.dumps(value, separators=(",", ":"))
        return self._sealer.seal(text.encode(), f"job:{job_id}", key)


def _split_parts(announcement: bytes) -> Iterator[bytes]:
    """Take apart what the script joined: each part with its length before it."""
    while announcement:
        length, _, rest = announcement.partition(b":")
        yield rest[: int(length)]
        announcement = rest[int(length) :]


def _parse_time(text: bytes | None) -> datetime | None:
    return datetime.fromisoformat(text.decode()) if text else None
