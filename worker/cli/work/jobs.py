"""`jobs`: what apps have asked for, and what became of it."""

from __future__ import annotations

from typing import Final

from actors.queue.job_list import JobFilter, JobList
from catfeeder.clock import utc_now
from catfeeder.queue.jobs.store import JobStatus
from worker.cli.terminal.options import check_choice
from worker.cli.terminal.output import print_json, print_members, print_page
from worker.cli.terminal.session import connect_queue, open_tables, see_app
from worker.http.errors.refusals import JobNotCancellable
from worker.http.handlers.job_response import describe_job, describe_listed_job
from worker.http.schemas.work.jobs import ListedJob
from worker.queue.changes import record_cancellation
from worker.queue.key_list import ServingKeys, read_stored

_HEADS: Final = ("ID", "APP", "ACTOR", "QUEUE", "STATUS", "ENQUEUED AT", "FINISHED AT", "ERROR")


def print_jobs(
    app: str | None,
    status: str | None,
    actor: str | None,
    *,
    limit: int,
    cursor: str | None,
    as_json: bool,
) -> int:
    """Print jobs, the latest first: an app's, or all.

    Raises:
        AppUnknown, CursorInvalid: There is no such app, or page.
        ConfigurationError, QueueUnreachable: The service cannot be asked.
    """
    check_choice("--status", status, JobStatus)
    open_tables()
    client = connect_queue()
    jobs = JobList(client.redis, client.jobs, ServingKeys(read_stored).check)
    with see_app(app):
        found, next_cursor = jobs.page(app, JobFilter(status, actor), cursor, limit)
    items = [describe_listed_job(record) for record in found]
    print_page(items, next_cursor, _HEADS, _to_row, as_json=as_json)
    return 0


def _to_row(job: ListedJob) -> tuple[object, ...]:
    error = job.get("error")
    return (
        *(job["id"], job["app"], job["actor"], job["queue"], job["status"]),
        *(job["enqueued_at"], job.get("finished_at"), error and error["code"]),
    )


def print_job(job_id: str, *, as_json: bool) -> int:
    """Print a job.

    Raises:
        JobExpired: It is unknown.
        ConfigurationError, QueueUnreachable: The service cannot be asked.
    """
    job = describe_job(connect_queue().job(job_id).record())
    if as_json:
        print_json(job)
        return 0
    # A result may be a profile, or tokens that an app has asked for.
    print_members({name: value for name, value in job.items() if name != "result"})
    return 0


def cancel_job(job_id: str, *, as_json: bool) -> int:
    """Cancel a job.

    Raises:
        JobExpired: It is unknown.
        JobNotCancellable: A worker has begun it, or it has ended.
        ConfigurationError, QueueUnreachable: The service cannot be asked.
    """
    client = connect_queue()
    record = client.job(job_id).record()
    if not client.jobs.cancel(record.id, utc_now()):
        raise JobNotCancellable
    record_cancellation(record, utc_now())
    if as_json:
        print_json(describe_job(client.job(job_id).record()))
    else:
        print(f"Job {job_id} is cancelled.")
    return 0
