"""`connections`: users' grants, never their tokens."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

from worker.cli.terminal.commands import noun, verb
from worker.cli.terminal.options import App, Cursor, Json, Limit, Provider, Yes, complete

connections = noun("Users' connections to providers.")

_Id: TypeAlias = Annotated[str, typer.Argument(metavar="ID")]
_Ids: TypeAlias = Annotated[
    list[str], typer.Argument(metavar="ID", help="One or several; - reads them from stdin.")
]


@verb(connections, "list")
def list_connections(
    *,
    app: App = None,
    provider: Provider = None,
    subject: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of this user of an app alone.")
    ] = None,
    search: Annotated[
        str | None, typer.Option(metavar="TEXT", help="A user of an app, or an e-mail address.")
    ] = None,
    status: Annotated[
        str | None,
        typer.Option(
            metavar="STATUS",
            help="Such as active or renewal_failing.",
            autocompletion=complete("models.oauth.connections", "ConnectionStatus"),
        ),
    ] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
    as_json: Json = False,
) -> int:
    """List connections, the oldest first; those of a search the newest first."""
    from worker.cli.work.connections import print_connections

    return print_connections(
        app,
        limit,
        as_json=as_json,
        search=search,
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
    """Print a link to the page where the user of a connection connects it anew."""
    from worker.cli.work.connections import print_reconnect_link

    return print_reconnect_link(connection_id, return_to, as_json=as_json)
