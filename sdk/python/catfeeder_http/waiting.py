"""Waiting for a job: asked for again, by long polls, until it has ended."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Protocol, Self, TypeVar
from urllib.parse import quote

import httpx

from .faults import JobCancelled, JobFailed, JobTimeout

_POLL_SECONDS = 25
#: A service that cannot wait, since it stops or has too many that do, is asked no more often.
_PAUSE_SECONDS = 0.25


class AnyJob(Protocol):
    """What the generated models of jobs share."""

    id: str
    status: Any
    result: Any
    error: Any

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        """Return the job that JSON holds."""
        ...


J = TypeVar("J", bound=AnyJob)


def wait_for(client: httpx.Client, job: J, seconds: float) -> J:
    """Return a job once it has succeeded.

    Raises:
        JobFailed, JobCancelled, JobTimeout: It has not.
    """
    deadline = time.monotonic() + seconds
    while not _has_succeeded(job):
        asked = time.monotonic()
        job = type(job).from_dict(client.request(**_write_poll(job.id, deadline)).json())
        time.sleep(_compute_pause(job, asked))
    return job


async def wait_for_async(client: httpx.AsyncClient, job: J, seconds: float) -> J:
    """Do the same with asyncio."""
    deadline = time.monotonic() + seconds
    while not _has_succeeded(job):
        asked = time.monotonic()
        answer = await client.request(**_write_poll(job.id, deadline))
        job = type(job).from_dict(answer.json())
        await asyncio.sleep(_compute_pause(job, asked))
    return job


def _has_succeeded(job: AnyJob) -> bool:
    if job.status == "failed":
        raise JobFailed(job.error.code, job.error.detail, job.error.permanent)
    if job.status == "cancelled":
        raise JobCancelled
    return bool(job.status == "succeeded")


def _compute_pause(job: AnyJob, asked: float) -> float:
    """Return the seconds until a job may be asked for again."""
    has_ended = job.status not in ("queued", "running")
    return 0 if has_ended else max(0, asked + _PAUSE_SECONDS - time.monotonic())


def _write_poll(job_id: str, deadline: float) -> dict[str, Any]:
    left = deadline - time.monotonic()
    if left <= 0:
        raise JobTimeout(job_id)
    wait = max(1, min(_POLL_SECONDS, int(left)))
    headers = {"Prefer": f"wait={wait}"}
    return {"method": "GET", "url": f"/v1/jobs/{quote(job_id, safe='')}", "headers": headers}
