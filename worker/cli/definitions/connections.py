"""`connections`, `renewals`, `events` and `jobs`: users' grants and what goes on with them."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

from worker.cli.terminal.commands import noun, verb
from worker.cli.terminal.options import App, Cursor, Json, Limit, Provider, Yes

connections = noun("Users' connections to providers.")
jobs = noun("Jobs that apps have asked for, until an hour after their end.")

_Id: TypeAlias = Annotated[str, typer.Argument(metavar="ID")]
_Ids: TypeAlias = Annotated[list[str], typer.Argument(metavar="ID", help="One or several.")]
_JobId: TypeAlias = Annotated[str, typer.Argument(metavar="ID", help="As the API returned it.")]


@verb(connections, "list")
def list_connections(
    *,
    app: App = None,
    provider: Provider = None,
    subject: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of this user of an app alone.")
    ] = None,
    status: Annotated[
        str | None, typer.Option(metavar="STATUS", help="Such as active or renewal_failing.")
    ] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
    as_json: Json = False,
) -> int:
    """List connections, the oldest first."""
    from worker.cli.work.connections import print_connections

    return print_connections(
        app,
        limit,
        as_json=as_json,
        provider=provider,
        subject=subject,
        status=status,
        cursor=cursor,
    )


@verb(connections, "show")
def show_connection(connection_id: _Id, as_json: Json = False) -> int:
    """Show a connection, and its latest events; never a token."""
    from worker.cli.work.connections import print_connection

    return print_connection(connection_id, as_json=as_json)


@verb(connections, "renew")
def renew(connection_ids: _Ids, as_json: Json = False) -> int:
    """Renew the tokens of connections now."""
    from worker.cli.work.connections import renew_connections

    return renew_connections(connection_ids, as_json=as_json)


@verb(connections, "disconnect")
def disconnect(connection_ids: _Ids, is_sure: Yes = False, as_json: Json = False) -> int:
    """Revoke connections at their providers, and erase them."""
    from worker.cli.work.connections import disconnect

    return disconnect(connection_ids, is_sure=is_sure, as_json=as_json)


@verb(connections, "reconnect-link")
def make_reconnect_link(
    connection_id: _Id,
    return_to: Annotated[
        str | None, typer.Option(metavar="URL", help="Where the browser ends; of an app's origins.")
    ] = None,
    as_json: Json = False,
) -> int:
    """Print a link by which the user of a connection signs in anew, once."""
    from worker.cli.work.connections import print_reconnect_link

    return print_reconnect_link(connection_id, return_to, as_json=as_json)


def list_renewals(
    provider: Provider = None,
    is_failing: Annotated[
        bool, typer.Option("--failing", help="Only what has failed or needs its user.")
    ] = False,
    days: Annotated[int, typer.Option(min=1, max=3650, metavar="N", help="How far ahead.")] = 1,
    limit: Limit = 100,
    as_json: Json = False,
) -> int:
    """List what would be renewed when and why; nothing is renewed."""
    from worker.cli.work.renewals import print_renewals

    return print_renewals(provider, is_failing=is_failing, days=days, limit=limit, as_json=as_json)


def list_events(
    *,
    follows: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with new ones until Ctrl-C.")
    ] = False,
    app: App = None,
    kind: Annotated[
        str | None, typer.Option(metavar="KIND", help="Such as renewal_failed.")
    ] = None,
    provider: Provider = None,
    connection: Annotated[
        str | None, typer.Option(metavar="ID", help="Of this connection alone.")
    ] = None,
    key: Annotated[
        str | None, typer.Option(metavar="ID", help="Of this API key's requests alone.")
    ] = None,
    limit: Limit = 100,
    as_json: Json = False,
) -> int:
    """List what has happened, the newest first; with --follow as it happens, the newest last."""
    from worker.cli.work.events import print_events

    return print_events(
        limit,
        follows=follows,
        as_json=as_json,
        app=app,
        kind=kind,
        provider=provider,
        connection_id=connection,
        key_id=key,
    )


@verb(jobs, "list")
def list_jobs(
    *,
    app: App = None,
    status: Annotated[
        str | None, typer.Option(metavar="STATUS", help="Such as queued or failed.")
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
