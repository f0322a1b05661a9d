"""Job schema: the members of a job, with the result that its route gives."""

from __future__ import annotations

import functools
from datetime import datetime
from typing import Any, Final, Union

from pydantic import BaseModel, Field, create_model

from catfeeder.queue.jobs import JobStatus
from catfeeder.results import (
    Connection,
    PasswordCheck,
    PasswordHash,
    Profile,
    Revocation,
    TokenResponse,
)
from worker.http.schemas.shapes import build_model

#: The results of the jobs that `GET /v1/jobs/{id}` may show.
_RESULTS: Final = (PasswordHash, PasswordCheck, Connection, Profile, TokenResponse, Revocation)


class JobFailure(BaseModel):
    """Why a job failed."""

    code: str
    detail: str
    permanent: bool = Field(description="A repeat would fail too.")


class _JobMembers(BaseModel):
    """A job; it can be read for an hour after its last change."""

    id: str
    actor: str
    queue: str
    status: JobStatus
    enqueued_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    error: JobFailure | None = None


def _build_job(name: str, result: Any) -> type[BaseModel]:
    described = Field(default=None, description="There once the job has succeeded.")
    return create_model(
        name, __base__=_JobMembers, __doc__=_JobMembers.__doc__, result=(result | None, described)
    )


#: A job of any kind.
Job: Final = _build_job("Job", Union[tuple(map(build_model, _RESULTS))])  # noqa: UP007


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
