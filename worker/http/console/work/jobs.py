"""Routes of jobs: listed, filtered, shown one by one without what is secret, and cancelled."""

from __future__ import annotations

from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Query
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from actors.apps.registration import list_apps
from actors.cursors import is_id
from actors.queue.dead_letters import LetterFilter
from catfeeder.messages import CATALOGUE
from catfeeder.queue.jobs.store import JobRecord, JobStatus
from worker.http.asgi.threads import run_with_database
from worker.http.console.access import ConsoleRoute
from worker.http.console.filters import EmptyIsNone, Filters, OptionalText
from worker.http.console.live import follow
from worker.http.console.notices import go_to
from worker.http.console.rendering import render_console
from worker.http.console.work.words import REASON_MEANINGS, STATUS_MEANINGS
from worker.http.handlers.job_response import describe_listed_job
from worker.http.pages.templating import render
from worker.http.routes.work.jobs import cancel, list_jobs
from worker.http.routes.work.queues import open_letters
from worker.http.schemas.fields import JobId
from worker.http.schemas.work.jobs import JobQuery
from worker.http.shim import Shim, ShimDependency
from worker.queue.report import describe_dead_letters

router = APIRouter(prefix="/console/jobs", route_class=ConsoleRoute, include_in_schema=False)
_PAGE_SIZE: Final = 50
_PART: Final = "console/work/job_part.html"
_ACTORS: Final = sorted(name for name, kind in CATALOGUE.items() if kind.is_job)


class JobFilters(Filters):
    """What the form of the list asks for; `q` is a job's id."""

    q: OptionalText = None
    status: Annotated[JobStatus | None, EmptyIsNone] = None
    actor: OptionalText = None


@router.get("")
async def show_jobs(
    request: Request, filters: Annotated[JobFilters, Query()], shim: ShimDependency
) -> Response:
    """Show a page of the jobs that match, the latest first; an id leads to its job."""
    if filters.q is not None and is_id(filters.q):
        suffix = f"?{urlencode({'app': filters.app})}" if filters.app else ""
        return RedirectResponse(f"/console/jobs/{filters.q}{suffix}", 303)
    query = JobQuery(
        status=filters.status, actor=filters.actor, cursor=filters.cursor, limit=_PAGE_SIZE
    )
    return render_console(
        request,
        "work/jobs.html",
        filters=filters,
        kept=filters.to_query(),
        statuses=list(JobStatus),
        actors=_ACTORS,
        apps=[app["id"] for app in await run_with_database(list_apps)],
        page=await list_jobs(shim, query),
    )


@router.get("/{job_id}")
async def show_job(request: Request, job_id: JobId, shim: ShimDependency) -> Response:
    """Show a job: its states with their times, and why it failed; never what it was given."""
    job = await shim.job(job_id)
    letters = await run_in_threadpool(_find_letters, shim, job)
    return render_console(
        request, "work/job.html", letters=letters, meanings=REASON_MEANINGS, **_describe(job)
    )


@router.get("/{job_id}/live")
async def follow_job(request: Request, job_id: JobId, shim: ShimDependency) -> Response:
    """Send the job's states anew when they change."""

    async def read_part() -> str:
        return render(_PART, **_describe(await shim.job(job_id)))

    return follow(request, shim, read_part)


@router.post("/{job_id}/cancel")
async def cancel_job(request: Request, job_id: JobId, shim: ShimDependency) -> Response:
    """Cancel a job that no worker has begun."""
    await cancel(shim, job_id)
    return go_to(request, f"/console/jobs/{job_id}", "job-cancelled")


def _describe(job: JobRecord) -> dict[str, Any]:
    return {
        "job": describe_listed_job(job),
        "meaning": STATUS_MEANINGS[job.status],
        "is_final": job.status.is_final,
        "is_cancellable": job.status is JobStatus.QUEUED,
        "waited": _subtract(job.started_at, job.enqueued_at),
        "took": _subtract(job.finished_at, job.started_at),
    }


def _subtract(end: Any, begin: Any) -> float | None:
    """Return the seconds between two times, where both are known."""
    return None if end is None or begin is None else (end - begin).total_seconds()


def _find_letters(shim: Shim, job: JobRecord) -> list[Any]:
    """Return the dead letters of a job; one that has not failed has none to be shown."""
    if job.status is not JobStatus.FAILED:
        return []
    found, _ = open_letters(shim).page(job.queue, None, 1, LetterFilter(job_id=job.id))
    return list(describe_dead_letters(found))
