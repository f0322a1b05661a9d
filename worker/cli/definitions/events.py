"""`events`: the audit trail."""

from __future__ import annotations

from typing import Annotated

import typer

from worker.cli.terminal.options import App, Cursor, Json, Limit, Provider, complete


def list_events(
    *,
    follows: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with new ones until Ctrl-C.")
    ] = False,
    app: App = None,
    kind: Annotated[
        str | None,
        typer.Option(
            metavar="KIND",
            help="Such as renewal_failed.",
            autocompletion=complete("actors.events.kinds", "EventKind"),
        ),
    ] = None,
    provider: Provider = None,
    connection: Annotated[
        str | None, typer.Option(metavar="ID", help="Of this connection alone.")
    ] = None,
    key: Annotated[
        str | None, typer.Option(metavar="ID", help="Of this API key's requests alone.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="AGE|TIME",
            help="Not older than this: 30m, 2h, 7d, or a time such as 2026-11-30T14:00:00Z.",
        ),
    ] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
    as_json: Json = False,
) -> int:
    """List what has happened, the newest first; with --follow as it happens, the newest last."""
    from catfeeder.clock import utc_now
    from worker.cli.terminal.times import read_since
    from worker.cli.work.events import print_events

    if follows and cursor:
        raise typer.BadParameter("--follow begins with the newest: it takes no --cursor.")
    return print_events(
        limit,
        follows=follows,
        since=read_since("--since", since, utc_now()),
        cursor=cursor,
        as_json=as_json,
        app=app,
        kind=kind,
        provider=provider,
        connection_id=connection,
        key_id=key,
    )
