"""Job resource: a job's JSON, and the answer to a request that made one."""

from __future__ import annotations

from typing import cast

from starlette.responses import JSONResponse

from catfeeder.clock import rfc3339
from catfeeder.queue.jobs.store import JobRecord, JobStatus
from worker.http.schemas.work.jobs import JobAnswer, ListedJob


def describe_job(record: JobRecord) -> JobAnswer:
    """Return the members of a job; those that it does not have yet are left out."""
    members: JobAnswer = {
        "id": record.id,
        "actor": record.actor,
        "queue": record.queue,
        "status": record.status.value,
        "enqueued_at": rfc3339(record.enqueued_at),
    }
    if record.started_at:
        members["started_at"] = rfc3339(record.started_at)
    if record.finished_at:
        members["finished_at"] = rfc3339(record.finished_at)
    if record.status is JobStatus.SUCCEEDED:
        members["result"] = record.result
    if record.error:
        error = record.error
        members["error"] = {
            "code": error.code,
            "detail": error.detail,
            "permanent": error.permanent,
        }
    return members


def describe_listed_job(record: JobRecord) -> ListedJob:
    """Return the members of a job in a list: all but its result."""
    described = describe_job(record)
    described.pop("result", None)
    return {"app": record.app, **cast("ListedJob", described)}


def build_job_response(record: JobRecord, waited_seconds: int | None) -> JSONResponse:
    """Return 200 when the caller waited and the job has ended, else 202."""
    headers = {"Location": f"/v1/jobs/{record.id}"}
    if waited_seconds is not None:
        headers["Preference-Applied"] = f"wait={waited_seconds}"
    has_ended = waited_seconds is not None and record.status.is_final
    return JSONResponse(describe_job(record), 200 if has_ended else 202, headers)
