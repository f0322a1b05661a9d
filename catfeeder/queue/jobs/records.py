"""Job record: what is known of a job, from its request until an hour after its end."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from catfeeder.errors import JobCancelled, JobFailed, JobTimeout
from catfeeder.queue.keys import KeyName
from catfeeder.queue.requester import DEFAULT_APP

#: Counted anew from each change, so that an ended job can be read for a full hour.
JOB_TTL_SECONDS: Final = 3600


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
    #: The key that it is sealed with, None as it is sent; and the id of its message on the queue.
    sealed_by: KeyName | None = field(default=None, compare=False)
    redis_message_id: str | None = field(default=None, compare=False)


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
