"""`connections`: list, show, renew and disconnect them, and make links to reconnect."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any, Final, Literal, Protocol

import typer

from actors.connect.sessions import ConnectWishes, create_connect_session
from actors.connections.reading import describe_connection, find_connection, list_connections
from actors.connections.search import search_connections
from actors.events.audit import Event, list_events
from actors.renewal.plan.listing import describe_renewal
from catfeeder.client import Client
from catfeeder.clock import rfc3339, utc_now
from catfeeder.errors import CatFeederError
from catfeeder.messages import RENEW_CONNECTION, REVOKE_CONNECTION, MessageType
from catfeeder.queue.jobs.index import build_addition
from catfeeder.queue.lua_scripts import call_script
from catfeeder.queue.redis.connection import translate_redis_errors
from catfeeder.queue.requester import act_for, acting_app
from catfeeder.results import Connection, ConnectionPage
from models.oauth.connections import ConnectionStatus
from worker.cli.terminal.confirmation import NotConfirmed, confirm
from worker.cli.terminal.options import check_choice
from worker.cli.terminal.output import print_json, print_members, print_page, print_rows
from worker.cli.terminal.progress import ProgressLine
from worker.cli.terminal.sentences import say_in_commands
from worker.cli.terminal.session import connect_queue, open_tables, see_app
from worker.http.handlers.preconditions import find_version_to_renew

_HEADS: Final = ("ID", "APP", "PROVIDER", "SUBJECT", "ACCOUNT", "STATUS", "EXPIRES AT", "REASON")
_EVENT_HEADS: Final = ("WHEN", "EVENT", "KEY", "DETAIL")
#: As long as a provider may take, and a queue that has something to do.
_JOB_SECONDS: Final = 60.0
_EVENTS: Final = 20
_PLAN: Final[tuple[Literal["renew_at", "grant_expires_at", "why", "hindrance"], ...]] = (
    *("renew_at", "grant_expires_at", "why", "hindrance"),
)


class _Deed(Protocol):
    def __call__(self, client: Client, connection_id: str) -> Any:
        """Ask for a job about a connection, and return its result."""


def print_connections(
    app: str | None, limit: int, *, as_json: bool, search: str | None = None, **wanted: str | None
) -> int:
    """Print connections: of an app, or all; the oldest first, or of a search the newest.

    Raises:
        AppUnknown, CursorInvalid, BadParameter: There is no such app, page or status.
    """
    check_choice("--status", wanted.get("status"), ConnectionStatus)
    open_tables()
    with see_app(app):
        page = _list(search, limit, **wanted)
    print_page(page["items"], page["next_cursor"], _HEADS, _to_row, as_json=as_json)
    return 0


def _list(
    search: str | None, limit: int, *, subject: str | None = None, **wanted: str | None
) -> ConnectionPage:
    if search is None:
        return list_connections(subject=subject, limit=limit, **wanted)
    if subject is not None:
        raise typer.BadParameter("--search looks for subjects, too: leave --subject out.")
    return search_connections(text=search, limit=limit, **wanted)


def _to_row(connection: Connection) -> tuple[object, ...]:
    profile = connection["profile"]
    return (
        *(connection["id"], connection["app"], connection["provider"], connection["subject"]),
        profile.get("email") or profile.get("name") or profile.get("subject"),
        *(connection["status"], connection["expires_at"], connection["reason"]),
    )


def print_connection(connection_id: str, *, as_json: bool) -> int:
    """Print a connection with its next renewal, and its latest events below.

    Raises:
        ConnectionUnknown: There is none.
    """
    open_tables()
    row = find_connection(connection_id)
    connection = describe_connection(row)
    if as_json:
        print_json(connection)
        return 0
    profile = {
        f"profile.{name}": value for name, value in connection["profile"].items() if name != "raw"
    }
    members = {name: value for name, value in connection.items() if name != "profile"}
    renewal = describe_renewal(row, utc_now())
    plan = {} if renewal is None else {f"renewal.{name}": renewal[name] for name in _PLAN}
    print_members({**members, **profile, **plan})
    print()
    events = list_events(connection_id=connection["id"], limit=_EVENTS)["items"]
    print_rows(_EVENT_HEADS, map(_to_event_row, events))
    return 0


def _to_event_row(event: Event) -> tuple[object, ...]:
    return event["created_at"], event["kind"], event["key_id"], event["detail"]


def renew_connections(connection_ids: Sequence[str], *, as_json: bool) -> int:
    """Renew connections, one after the other; return 1 where one could not be.

    Raises:
        ConfigurationError, QueueUnreachable: The service cannot be asked.
    """
    return _do_each(connection_ids, _renew, lambda found: str(found["status"]), as_json=as_json)


def _renew(client: Client, connection_id: str) -> Any:
    app, version = find_version_to_renew(connection_id)
    with act_for(app):
        return _perform(client, RENEW_CONNECTION, connection_id=connection_id, version=version)


def disconnect(connection_ids: Sequence[str], *, is_sure: bool, as_json: bool) -> int:
    """Revoke and erase connections, one after the other; return 1 where one could not be.

    Raises:
        NotConfirmed: The operator does not want it, or is not there to be asked.
        ConfigurationError, QueueUnreachable: The service cannot be asked.
    """
    count = len(connection_ids)
    if connection_ids == ["-"] and not is_sure:
        raise NotConfirmed
    text = "this connection" if count == 1 else f"these {count} connections"
    confirm(f"Revoke {text} at the provider, and erase what is stored?", is_sure=is_sure)
    return _do_each(connection_ids, _revoke, lambda _: "disconnected", as_json=as_json)


def _revoke(client: Client, connection_id: str) -> Any:
    with act_for(find_connection(connection_id).app):
        return _perform(client, REVOKE_CONNECTION, connection_id=connection_id)


def _perform(client: Client, message_type: MessageType, **arguments: Any) -> Any:
    """Ask for a job in the name of the acting app, let it be listed, and return its result."""
    job = client.enqueue(message_type, **arguments)
    with translate_redis_errors():
        call_script(client.redis, build_addition(acting_app.get(), job.id))
    return job.result(timeout=_JOB_SECONDS)


def _do_each(
    connection_ids: Sequence[str], deed: _Deed, describe: Callable[[Any], str], *, as_json: bool
) -> int:
    """Do something to each connection, and print what came of it, failures on stderr.

    The id `-` stands for those on stdin, one a line.
    """
    open_tables()
    if connection_ids == ["-"]:
        connection_ids = sys.stdin.read().split()
    client = connect_queue()
    results, failures = [], []
    with ProgressLine(len(connection_ids)) as line:
        for place, connection_id in enumerate(connection_ids):
            line.show(place, connection_id)
            try:
                results.append((connection_id, deed(client, connection_id)))
            except CatFeederError as error:
                failures.append(f"{connection_id}: {say_in_commands(str(error))}")
    if as_json:
        print_json({"items": [result for _, result in results]})
    elif results:
        print_rows(("CONNECTION", "STATUS"), [(one, describe(result)) for one, result in results])
    for failure in failures:
        print(failure, file=sys.stderr)
    return 1 if failures else 0


def print_reconnect_link(connection_id: str, return_to: str | None, *, as_json: bool) -> int:
    """Print the link to the page where the user of a connection connects it anew.

    Raises:
        ConnectionUnknown, ConnectSessionInvalid, ReturnToForbidden: There can be none.
    """
    open_tables()
    wishes = ConnectWishes(connection_id=connection_id, return_to=return_to)
    link = create_connect_session(wishes, utc_now())
    ends_at = rfc3339(link.expires_at)
    if as_json:
        print_json({"url": link.url, "expires_at": ends_at})
        return 0
    print(link.url)
    print(
        f"It serves until {ends_at}, in the browser that opens it first: give it to this user "
        "alone.",
        file=sys.stderr,
    )
    return 0
