"""Reading and cancelling jobs."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse

from catfeeder.client import Job as Handle
from catfeeder.jobs import JobRecord, JobStatus
from catfeeder.messages import REFRESH_TOKEN
from worker.http.auth.guarded_route import GuardedRoute
from worker.http.auth.keys import Needs, Scope, needs
from worker.http.errors.refusals import JobNotCancellable
from worker.http.handlers.job_answers import job_json
from worker.http.handlers.preferences import PreferredWait
from worker.http.schemas.jobs import Job
from worker.http.schemas.path_parameters import JobId
from worker.http.shim import ShimOf

router = APIRouter(
    prefix="/v1/jobs",
    tags=["jobs"],
    route_class=GuardedRoute,
    dependencies=needs(Scope.JOBS),
)


@router.get("/{job_id}", response_model=Job)
async def read_job(
    job_id: JobId, request: Request, shim: ShimOf, wait: PreferredWait
) -> JSONResponse:
    """Return a job, after `Prefer: wait=N` seconds if it has not ended before."""
    record = await shim.job(job_id)
    if record.actor == REFRESH_TOKEN.name:
        # Its result holds tokens, so whoever may not ask for them may not read them here either.
        await Needs(Scope.TOKENS_READ).check(request)
    return JSONResponse(job_json(await shim.wait(record, wait or 0)))


@router.delete("/{job_id}", response_model=Job)
async def cancel_job(job_id: JobId, shim: ShimOf) -> JSONResponse:
    """Cancel a job that no worker has begun."""
    return JSONResponse(job_json(await run_in_threadpool(_cancelled, shim.client.job(job_id))))


def _cancelled(handle: Handle[Any]) -> JobRecord:
    handle.cancel()
    record = handle.record()
    if record.status is not JobStatus.CANCELLED:
        raise JobNotCancellable
    return record
