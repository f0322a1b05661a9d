"""Job records without a message, for tests of what becomes of a record."""

from __future__ import annotations

from datetime import datetime

import redis

from catfeeder.clock import utc_now
from catfeeder.queue.job_scripts import JOB_TTL_SECONDS, job_key
from catfeeder.queue.jobs import JobRecord, JobStatus, JobStore
from catfeeder.queue.lua_scripts import call_script


def put_job(client: redis.Redis, job_id: str, now: datetime | None = None) -> JobRecord:
    """Make the record of a queued job, as it is when its message is sent."""
    job = JobRecord(job_id, "hash_password", "passwords", JobStatus.QUEUED, now or utc_now())
    fields = ["actor", job.actor, "queue", job.queue, "status", job.status.value]
    client.hset(job_key(job_id), items=[*fields, "enqueued_at", job.enqueued_at.isoformat()])
    client.expire(job_key(job_id), JOB_TTL_SECONDS)
    return job


def succeed(jobs: JobStore, job_id: str, result: object, now: datetime | None = None) -> bool:
    """End a job well, as a worker does; false when it has ended before."""
    ending = jobs.build_success(job_id, result, now or utc_now())
    return bool(call_script(jobs._client, ending))
