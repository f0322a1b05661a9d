"""A job as /docs describes it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from pydantic import BaseModel, Field

from catfeeder.jobs import JobStatus


class JobFailure(BaseModel):
    """Why a job failed."""

    code: str
    detail: str
    permanent: bool = Field(description="A repeat would fail too.")


class Job(BaseModel):
    """A job; it can be read for an hour after its last change."""

    id: str
    actor: str
    queue: str
    status: JobStatus
    enqueued_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    result: Any = None
    error: JobFailure | None = None


#: How each route that answers with a new job is declared.
JOB_ROUTE: Final[dict[str, Any]] = {
    "status_code": 202,
    "response_model": Job,
    "response_description": "The job was taken in; Location leads to it.",
    "responses": {
        200: {"model": Job, "description": "`Prefer: wait=N` was sent and the job has ended."}
    },
}
