"""The life of a job as Redis holds it: asked for, started, ended, forgotten an hour later."""

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

from catfeeder.errors import SealBroken
from catfeeder.lua_scripts import Call, Script, call_script
from catfeeder.redis_connection import translate_redis_errors
from catfeeder.sealing import Sealer

#: Counted anew from each change, so that an ended job can be read for a full hour.
JOB_TTL_SECONDS: Final = 3600
_KEY_PREFIX: Final = "catfeeder:job:"
#: An ended job's record is told on the channel of this name, and stays in the list of this name for
#: long enough that who had just looked, and waits from now on, finds it there.
CHANNEL_PREFIX: Final = "catfeeder:ended:"
ENDED_TTL_SECONDS: Final = 10
#: Who waits looks this often as well: well within any timeout of a connection.
_LONGEST_WAIT_SECONDS: Final = 1.0
_LOOK_WHEN_FULL_SECONDS: Final = 0.1

# Each change names the statuses that it may follow, and applies in one step. An unknown job may
# start: its record can have been evicted by time while the message still waited in the queue.
CHANGE_SCRIPT: Final = Script(
    """
local status = redis.call('HGET', KEYS[1], 'status')
if status and not string.find(ARGV[1], status, 1, true) then return 0 end
if not status and ARGV[2] == '0' then return 0 end
redis.call('HSET', KEYS[1], unpack(ARGV, 5))
redis.call('EXPIRE', KEYS[1], ARGV[3])
if KEYS[2] then
    local told = ''
    for _, part in ipairs(redis.call('HGETALL', KEYS[1])) do
        told = told .. #part .. ':' .. part
    end
    redis.call('RPUSH', KEYS[2], told)
    redis.call('EXPIRE', KEYS[2], ARGV[4])
    redis.call('PUBLISH', KEYS[2], told)
end
return 1
""",
    runs_when_full=True,
)


class JobStatus(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Tell whether the job has ended."""
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


def job_key(job_id: str) -> str:
    """Return the name of a record's Redis hash."""
    return _KEY_PREFIX + job_id


def build_change(
    job_id: str,
    after: str,
    fields: Mapping[str, str | bytes],
    *,
    may_create: bool = False,
    is_end: bool = False,
) -> Call:
    """Return the call that writes fields where the status is one of those in `after`."""
    pairs = [part for pair in fields.items() for part in pair]
    arguments = [after, int(may_create), JOB_TTL_SECONDS, ENDED_TTL_SECONDS, *pairs]
    return Call(CHANGE_SCRIPT, [job_key(job_id), CHANNEL_PREFIX + job_id][: 1 + is_end], arguments)


def build_end(
    job_id: str, after: str, status: JobStatus, now: datetime, more: dict[str, bytes]
) -> Call:
    """Return the call by which a job ends, if its status was one of those in `after`."""
    fields = {"status": status.value, "finished_at": now.isoformat(), **more}
    return build_change(job_id, after, fields, is_end=True)


def build_cancellation(job_id: str, now: datetime) -> Call:
    """Return the call that cancels a job that no worker has begun."""
    return build_end(job_id, "queued", JobStatus.CANCELLED, now, {})


class JobReader:
    """Makes sense of what Redis holds of jobs; results and errors are sealed for their job."""

    def __init__(self, sealer: Sealer) -> None:
        """Take the sealer that holds the queue key."""
        self._sealer = sealer

    def read_hash(self, job_id: str, fields: Mapping[bytes, bytes]) -> JobRecord | None:
        """Return the record whose Redis hash has these fields, or None when it is not one.

        Raises:
            SealBroken: The record was written with another queue key.
        """
        return self._parse(job_id, fields) if b"enqueued_at" in fields else None

    def read_announcement(self, job_id: str, told: bytes) -> JobRecord | None:
        """Return the record that was told at a job's end; None when it cannot be read."""
        try:
            parts = list(_parts(told))
            return self._parse(job_id, dict(zip(parts[::2], parts[1::2], strict=True)))
        except (KeyError, ValueError, SealBroken):
            return None

    def _parse(self, job_id: str, fields: Mapping[bytes, bytes]) -> JobRecord:
        """Build the record from the fields of its Redis hash."""
        error = self._open(job_id, fields.get(b"error"))
        return JobRecord(
            id=job_id,
            actor=fields[b"actor"].decode(),
            queue=fields[b"queue"].decode(),
            status=JobStatus(fields[b"status"].decode()),
            enqueued_at=datetime.fromisoformat(fields[b"enqueued_at"].decode()),
            started_at=_time(fields.get(b"started_at")),
            finished_at=_time(fields.get(b"finished_at")),
            result=self._open(job_id, fields.get(b"result")),
            error=JobError(*error) if error else None,
        )

    def _open(self, job_id: str, sealed: bytes | None) -> Any:
        # Without the marks of messages: a provider's profile may hold what looks like one.
        return None if sealed is None else json.loads(self._sealer.open(sealed, f"job:{job_id}"))


class JobStore(JobReader):
    """Reads and changes job records.

    A record is made by `SealedBroker.enqueue`, in one step with its message.
    """

    def __init__(self, client: redis.Redis, sealer: Sealer) -> None:
        """Take the Redis client and the sealer that holds the queue key."""
        super().__init__(sealer)
        self._client = client

    def start(self, job_id: str, actor: str, queue: str, now: datetime) -> bool:
        """Record that a worker begins; false when the job was cancelled or has ended before."""
        fields = {
            "actor": actor,
            "queue": queue,
            "status": "running",
            "started_at": now.isoformat(),
        }
        return self._run(build_change(job_id, "queued running", fields, may_create=True))

    def build_success(self, job_id: str, result: object, now: datetime) -> Call:
        """Return the call that records the result, which must be JSON data, and wakes those who
        wait.
        """
        sealed = self._seal(job_id, result)
        return build_end(job_id, "queued running", JobStatus.SUCCEEDED, now, {"result": sealed})

    def fail(self, job_id: str, error: JobError, now: datetime) -> bool:
        """Record why the job failed and wake those who wait."""
        sealed = self._seal(job_id, [error.code, error.detail, error.permanent])
        failed = build_end(job_id, "queued running", JobStatus.FAILED, now, {"error": sealed})
        return self._run(failed)

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
        """Return the record when a job ends, or None after `seconds`, or now and then sooner.

        Raises:
            QueueUnreachable: Redis did not answer.
        """
        ended = CHANNEL_PREFIX + job_id
        # To wait for 0 is to wait for ever; what is moved onto itself is there for others as well.
        wait = min(max(seconds, 0.001), _LONGEST_WAIT_SECONDS)
        with translate_redis_errors():
            try:
                told = self._client.execute_command("BLMOVE", ended, ended, "LEFT", "LEFT", wait)
            except OutOfMemoryError:
                # To move is to write. While that is refused, looking must do.
                time.sleep(min(wait, _LOOK_WHEN_FULL_SECONDS))
                return None
            except redis.ResponseError as error:
                # A server that becomes a replica sends everybody off; who looks then is told more.
                if not str(error).startswith("UNBLOCKED"):
                    raise
                return None
        return None if told is None else self.read_announcement(job_id, told)

    def _run(self, change: Call) -> bool:
        with translate_redis_errors():
            return bool(call_script(self._client, change))

    def _seal(self, job_id: str, value: object) -> bytes:
        text = json.dumps(value, separators=(",", ":"))
        return self._sealer.seal(text.encode(), f"job:{job_id}")


def _parts(told: bytes) -> Iterator[bytes]:
    """Take apart what the script joined: each part with its length before it."""
    while told:
        length, _, rest = told.partition(b":")
        yield rest[: int(length)]
        told = rest[int(length) :]


def _time(text: bytes | None) -> datetime | None:
    return datetime.fromisoformat(text.decode()) if text else None
