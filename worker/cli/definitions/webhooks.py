"""`webhooks`: deliveries of events to apps' webhooks."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

from worker.cli.terminal.commands import noun, verb
from worker.cli.terminal.options import App, Cursor, Json, Limit, complete

webhooks = noun("Deliveries to webhooks, with what their receivers answered last.")

_EventId: TypeAlias = Annotated[
    int, typer.Argument(metavar="EVENT", min=1, help="The event's id, as `list` shows it.")
]


@verb(webhooks, "list")
def list_deliveries(
    *,
    app: App = None,
    status: Annotated[
        str | None,
        typer.Option(
            metavar="STATUS",
            help="One of waiting, delivered and given_up.",
            autocompletion=complete("models.webhook_deliveries", "DeliveryStatus"),
        ),
    ] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
    as_json: Json = False,
) -> int:
    """List the deliveries that were tried, those of the newest events first."""
    from worker.cli.work.webhooks import print_deliveries

    return print_deliveries(app, status, limit=limit, cursor=cursor, as_json=as_json)


@verb(webhooks, "show")
def show_delivery(event_id: _EventId, as_json: Json = False) -> int:
    """Show the delivery of one event."""
    from worker.cli.work.webhooks import print_delivery

    return print_delivery(event_id, as_json=as_json)


@verb(webhooks, "resend")
def resend_deliveries(
    *,
    event_ids: Annotated[
        list[int] | None,
        typer.Argument(metavar="EVENT", min=1, show_default=False, help="The events' ids."),
    ] = None,
    is_all: Annotated[
        bool, typer.Option("--all", help="All that were given up, 1000 at a time.")
    ] = False,
    app: App = None,
    as_json: Json = False,
) -> int:
    """Have events delivered anew within seconds, under the same ids."""
    from worker.cli.work.webhooks import resend

    if bool(event_ids) == is_all:
        raise typer.BadParameter("Name the events, or all that were given up by --all.")
    return resend(None if is_all else event_ids, app, as_json=as_json)
