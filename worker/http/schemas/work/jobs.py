"""Job schema: the members of a job, with the result that its route gives."""

from __future__ import annotations

import functools
from typing import Annotated, Any, Final, TypedDict, Union

from pydantic import BaseModel, ConfigDict, Field, create_model

from catfeeder.queue.jobs.store import JobStatus
from catfeeder.results import (
    Connection,
    DeviceAuthorization,
    PasswordCheck,
    PasswordHash,
    PolicyVerdict,
    Profile,
    ProviderCheck,
    Revocation,
    Shutdown,
    Time,
    TokenResponse,
)
from worker.http.schemas.fields import Cursor, Text
from worker.http.schemas.shapes import build_model

#: The results of the jobs that `GET /v1/jobs/{id}` may show; some of the service's own have none.
RESULTS: Final = (
    Connection,
    DeviceAuthorization,
    PasswordHash,
    PasswordCheck,
    PolicyVerdict,
    Profile,
    ProviderCheck,
    Revocation,
    Shutdown,
    TokenResponse,
)


class JobFailure(TypedDict):
    """Why a job failed."""

    code: str
    detail: str
    permanent: Annotated[bool, "A repeat would fail too."]


class _EnqueuedJob(TypedDict):
    id: str
    actor: str
    queue: str
    status: Annotated[str, JobStatus]
    enqueued_at: Time


class JobAnswer(_EnqueuedJob, total=False):
    """A job; it can be read for an hour after its last change."""

    started_at: Time
    finished_at: Time
    result: Annotated[Any, "There once the job has succeeded."]
    error: JobFailure


class ListedJob(_EnqueuedJob, total=False):
    """A job in a list: `GET /v1/jobs/{id}` has its result."""

    app: str
    started_at: Time
    finished_at: Time
    error: JobFailure


class JobPage(TypedDict):
    """Jobs, the latest first."""

    items: list[ListedJob]
    next_cursor: Annotated[
        str | None,
        "The `cursor` of the next page; null on the last one. With filters a page may be short.",
    ]


class JobQuery(BaseModel):
    """The jobs to list; an unknown parameter is refused, not ignored."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    app: Text | None = Field(default=None, description="For an operator who sees all apps.")
    status: JobStatus | None = None
    actor: Text | None = Field(default=None, examples=["renew_connection"])
    cursor: Cursor | None = Field(default=None, description="A page's `next_cursor`.")
    limit: int = Field(default=100, ge=1, le=500)


def _build_job(name: str, result: Any) -> type[BaseModel]:
    described = Field(default=None, description="There once the job has succeeded.")
    base = build_model(JobAnswer)
    return create_model(name, __base__=base, __doc__=JobAnswer.__doc__, result=(result, described))


#: A job of any kind.
Job: Final = _build_job("Job", Union[(*map(build_model, RESULTS), None)])


@functools.cache
def declare_job_route(shape: type) -> dict[str, Any]:
    """Return the options of a route that answers with a new job whose result has this shape."""
    job = _build_job(f"{shape.__name__}Job", build_model(shape))
    return {
        "status_code": 202,
        "response_model": job,
        "response_description": "The job was taken in; Location leads to it.",
        "responses": {
            200: {"model": job, "description": "`Prefer: wait=N` was sent and the job has ended."}
        },
    }
