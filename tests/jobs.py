"""Job records without a message, for tests of what becomes of a record."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from catfeeder.clock import utc_now
from catfeeder.queue.jobs.parts import seal_job
from catfeeder.queue.jobs.records import JOB_TTL_SECONDS
from catfeeder.queue.jobs.scripts import job_key
from catfeeder.queue.jobs.store import JobError, JobRecord, JobRun, JobStatus, JobStore
from catfeeder.queue.lua_scripts import call_script

MESSAGE_ID: Final = "its-message"


def put_job(jobs: JobStore, job_id: str, now: datetime | None = None) -> JobRecord:
    """Make the record of a queued job, as it is when its message is sent."""
    app = jobs._sealer.own.app or "default"
    job = JobRecord(
        job_id, "hash_password", "passwords", JobStatus.QUEUED, now or utc_now(), app=app
    )
    sealed = seal_job(jobs._sealer, job, MESSAGE_ID, None)
    jobs._client.hset(
        job_key(job_id), items=["status", job.status.value, "message", MESSAGE_ID, "job", sealed]
    )
    jobs._client.expire(job_key(job_id), JOB_TTL_SECONDS)
    return job


def run_of(jobs: JobStore, job_id: str) -> JobRun:
    """Return the sending of a job as its worker knows it."""
    record = jobs.get(job_id)
    if record is None or record.redis_message_id is None:
        return JobRun(job_id, "hash_password", MESSAGE_ID)
    return JobRun(job_id, record.actor, record.redis_message_id, record.sealed_by)


def start(jobs: JobStore, job_id: str, now: datetime | None = None) -> bool:
    """Begin a job, as a worker does."""
    return jobs.start(run_of(jobs, job_id), now or utc_now())


def succeed(jobs: JobStore, job_id: str, result: object, now: datetime | None = None) -> bool:
    """End a job well, as a worker does; false when it has ended before."""
    ending = jobs.build_success(run_of(jobs, job_id), result, now or utc_now())
    return bool(call_script(jobs._client, ending))


def fail(jobs: JobStore, job_id: str, error: JobError, now: datetime | None = None) -> bool:
    """End a job badly, as a worker does; false when it has ended before."""
    return jobs.fail(run_of(jobs, job_id), error, now or utc_now())
