"""`jobs`: what apps have asked for."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

from worker.cli.terminal.commands import noun, verb
from worker.cli.terminal.options import App, Cursor, Json, Limit, complete

jobs = noun("Jobs that apps have asked for, until an hour after their end.")

_JobId: TypeAlias = Annotated[str, typer.Argument(metavar="ID", help="As the API returned it.")]


@verb(jobs, "list")
def list_jobs(
    *,
    app: App = None,
    status: Annotated[
        str | None,
        typer.Option(
            metavar="STATUS",
            help="Such as queued or failed.",
            autocompletion=complete("catfeeder.queue.jobs.records", "JobStatus"),
        ),
    ] = None,
    actor: Annotated[
        str | None, typer.Option(metavar="ACTOR", help="Such as renew_connection.")
    ] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
    as_json: Json = False,
) -> int:
    """List the latest jobs, the newest first."""
    from worker.cli.work.jobs import print_jobs

    return print_jobs(app, status, actor, limit=limit, cursor=cursor, as_json=as_json)


@verb(jobs, "show")
def show_job(job_id: _JobId, as_json: Json = False) -> int:
    """Show a job; its result may hold tokens, and is shown with --json alone."""
    from worker.cli.work.jobs import print_job

    return print_job(job_id, as_json=as_json)


@verb(jobs, "cancel")
def cancel_job(job_id: _JobId, as_json: Json = False) -> int:
    """Cancel a job that no worker has begun."""
    from worker.cli.work.jobs import cancel_job

    return cancel_job(job_id, as_json=as_json)
