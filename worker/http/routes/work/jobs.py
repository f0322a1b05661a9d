"""Routes of jobs: list, read and cancel them."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse

from actors.queue.job_list import JobFilter, JobList
from catfeeder.client import Job as Handle
from catfeeder.clock import utc_now
from catfeeder.messages import REFRESH_TOKEN
from catfeeder.queue.jobs.store import JobRecord, JobStatus
from catfeeder.queue.requester import visible_app
from worker.http.asgi.threads import run_with_database
from worker.http.auth.api_keys import RequireScope, Scope, require_scope
from worker.http.auth.guarded_route import GuardedRoute
from worker.http.errors.refusals import JobNotCancellable
from worker.http.handlers.job_response import describe_job, describe_listed_job
from worker.http.handlers.preferences import PreferredWait
from worker.http.routes.described_router import DescribedRouter
from worker.http.schemas.fields import JobId
from worker.http.schemas.shapes import build_model
from worker.http.schemas.work.jobs import Job, JobPage, JobQuery
from worker.http.shim import Shim, ShimDependency
from worker.queue.changes import record_cancellation

router = DescribedRouter(
    prefix="/v1/jobs",
    tags=["jobs"],
    route_class=GuardedRoute,
    dependencies=require_scope(Scope.JOBS),
)


@router.get("", response_model=build_model(JobPage))
async def read_jobs(query: Annotated[JobQuery, Query()], shim: ShimDependency) -> JSONResponse:
    """Return a page of jobs, the latest first: the latest 5,000 of an app, for an hour.

    One that a client has put onto the queue itself is listed once a worker has begun it.
    """
    return JSONResponse(await list_jobs(shim, query))


async def list_jobs(shim: Shim, query: JobQuery) -> JobPage:
    """Return a page of the jobs that a caller sees."""
    jobs = JobList(shim.client.redis, shim.client.jobs, shim.serving_keys.check)
    wanted = JobFilter(query.status and query.status.value, query.actor)
    app = visible_app() or query.app
    found, cursor = await run_with_database(jobs.page, app, wanted, query.cursor, query.limit)
    items = [describe_listed_job(record) for record in found]
    return {"items": items, "next_cursor": cursor}


@router.get("/{job_id}", response_model=Job)
async def read_job(
    job_id: JobId, request: Request, shim: ShimDependency, wait: PreferredWait
) -> JSONResponse:
    """Return a job, after `Prefer: wait=N` seconds if it has not ended before."""
    record = await shim.job(job_id)
    if record.actor == REFRESH_TOKEN.name:
        # Its result holds tokens: a key that may not ask for them may not read them here either.
        await RequireScope(Scope.TOKENS_READ).check(request)
    return JSONResponse(describe_job(await shim.wait(record, wait or 0)))


@router.delete("/{job_id}", response_model=Job)
async def cancel_job(job_id: JobId, shim: ShimDependency) -> JSONResponse:
    """Cancel a job that no worker has begun."""
    return JSONResponse(describe_job(await cancel(shim, job_id)))


async def cancel(shim: Shim, job_id: str) -> JobRecord:
    """Cancel a job that a caller sees, and return it.

    Raises:
        JobExpired: There is no such job, or it is another app's.
        JobNotCancellable: A worker has begun it.
        QueueUnreachable: Redis did not answer.
    """
    was_cancelled = (await shim.job(job_id)).status is JobStatus.CANCELLED
    return await run_in_threadpool(_cancel, shim.client.job(job_id), was_cancelled)


def _cancel(handle: Handle[Any], was_cancelled: bool) -> JobRecord:
    handle.cancel()
    record = handle.record()
    if record.status is not JobStatus.CANCELLED:
        raise JobNotCancellable
    if not was_cancelled:
        record_cancellation(record, utc_now())
    return record
