"""`keys`: API keys, and those that are derived for the queue, webhooks and Redis."""

from __future__ import annotations

from typing import Annotated

import typer

from worker.cli.terminal.commands import noun, verb
from worker.cli.terminal.options import App, Json, OneApp, Yes

keys = noun("API keys, and the keys of the queue, of webhooks and of Redis.")


@verb(keys, "list")
def list_keys(app: App = None, as_json: Json = False) -> int:
    """List the API keys, without the keys themselves."""
    from worker.cli.access.keys import print_keys

    return print_keys(app, as_json=as_json)


@verb(keys, "make")
def make_key(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is for, in your words.")],
    scopes: Annotated[
        list[str],
        typer.Option("--scope", metavar="SCOPE", help="Such as jobs or admin; repeatable."),
    ],
    *,
    app: OneApp = "default",
    days: Annotated[
        int | None,
        typer.Option(min=1, max=3650, metavar="N", help="How long; no end if left out."),
    ] = None,
    requests_per_minute: Annotated[int, typer.Option(metavar="N", help="Its rate.")] = 600,
    as_json: Json = False,
) -> int:
    """Make an API key for an app and print it, alone on stdout and this once."""
    from worker.cli.access.keys import make_key

    return make_key(app, name, scopes, days, requests_per_minute, as_json=as_json)


@verb(keys, "revoke")
def revoke_key(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="As `keys list` has it.")],
    is_sure: Yes = False,
) -> int:
    """Revoke an API key: it ends at once, within five seconds in all processes."""
    from worker.cli.access.keys import revoke_key

    return revoke_key(key_id, is_sure=is_sure)


@verb(keys, "queue")
def print_queue_key(app: OneApp = "default") -> int:
    """Print an app's key for the queue."""
    from worker.cli.access.derived_keys import print_queue_key

    return print_queue_key(app)


@verb(keys, "webhook")
def print_webhook_key(app: OneApp = "default") -> int:
    """Print the key of a webhook's receiver."""
    from worker.cli.access.derived_keys import print_webhook_key

    return print_webhook_key(app)


@verb(keys, "queue-roots")
def print_queue_roots() -> int:
    """Print QUEUE_KEYS, which a process of the passwords may have in place of SECRET_KEY."""
    from worker.cli.access.derived_keys import print_queue_roots

    return print_queue_roots()


@verb(keys, "redis-acl")
def print_redis_acl(
    app: Annotated[
        str | None, typer.Argument(metavar="APP", help="The service's own if left out.")
    ] = None,
) -> int:
    """Print the rights in Redis of an app's user, or of the service's."""
    from worker.cli.access.redis_acl import print_redis_acl

    return print_redis_acl(app)
