"""`jobs`: what apps have asked for, and what became of it."""

from __future__ import annotations

from catfeeder.clock import utc_now
from worker.cli.terminal.output import print_json, print_members
from worker.cli.terminal.session import connect_queue
from worker.http.errors.refusals import JobNotCancellable
from worker.http.handlers.job_response import describe_job


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
    if as_json:
        print_json(describe_job(client.job(job_id).record()))
    else:
        print(f"Job {job_id} is cancelled.")
    return 0
