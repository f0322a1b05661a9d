"""`apps` and `keys`: the apps that share the service, API keys, and the keys of queue and Redis."""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

import typer

from worker.cli.terminal.commands import noun, verb
from worker.cli.terminal.options import App, Json, OneApp, Yes

apps = noun("The apps that share the service.")
keys = noun("API keys, and the keys of the queue, of webhooks and of Redis.")

_Id: TypeAlias = Annotated[str, typer.Argument(metavar="ID", help="1 to 32 of a-z, 0-9 and -.")]
_Name: TypeAlias = Annotated[str | None, typer.Option(help="What people call it.")]
_Rounds: TypeAlias = Annotated[
    int | None, typer.Option(metavar="N", help="The dearest hash that it may have made or checked.")
]
_Rate: TypeAlias = Annotated[
    int | None, typer.Option(metavar="N", help="How many requests all of its keys may make.")
]
_Providers: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--provider", metavar="NAME", help="A shared provider it may use; repeatable."),
]
_Scopes: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--scope", metavar="SCOPE", help="What its keys may be allowed; repeatable."),
]
_Origins: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--return-to-origin", metavar="ORIGIN", help="Where browsers may be sent; repeatable."
    ),
]
_Webhook: TypeAlias = Annotated[
    str | None, typer.Option(metavar="URL", help="Where its events are posted.")
]
_Login: TypeAlias = Annotated[
    bool | None,
    typer.Option(
        "--allow-login/--no-allow-login",
        help="Whether a browser without a key may begin a sign-in for it.",
    ),
]


@verb(apps, "list")
def list_apps(as_json: Json = False) -> int:
    """List the apps."""
    from worker.cli.access.apps import print_apps

    return print_apps(as_json=as_json)


@verb(apps, "show")
def show_app(id: _Id, as_json: Json = False) -> int:  # noqa: A002
    """Show an app and its settings."""
    from worker.cli.access.apps import print_app

    return print_app(id, as_json=as_json)


@verb(apps, "add")
def add_app(
    id: _Id,  # noqa: A002
    *,
    name: _Name = None,
    maximum_rounds: _Rounds = None,
    requests_per_minute: _Rate = None,
    providers: _Providers = None,
    scopes: _Scopes = None,
    return_to_origins: _Origins = None,
    webhook_url: _Webhook = None,
    allow_login: _Login = None,
    as_json: Json = False,
) -> int:
    """Make an app."""
    from worker.cli.access.apps import add_app

    found = _collect(
        maximum_rounds=maximum_rounds,
        requests_per_minute=requests_per_minute,
        providers=providers,
        scopes=scopes,
        return_to_origins=return_to_origins,
        webhook_url=webhook_url,
        allow_login=allow_login,
    )
    return add_app(id, name, found, as_json=as_json)


@verb(apps, "change")
def change_app(
    id: _Id,  # noqa: A002
    *,
    name: _Name = None,
    maximum_rounds: _Rounds = None,
    requests_per_minute: _Rate = None,
    providers: _Providers = None,
    scopes: _Scopes = None,
    return_to_origins: _Origins = None,
    webhook_url: _Webhook = None,
    allow_login: _Login = None,
    as_json: Json = False,
) -> int:
    """Change settings of an app; those that are left out stay."""
    from worker.cli.access.apps import change_app

    found = _collect(
        maximum_rounds=maximum_rounds,
        requests_per_minute=requests_per_minute,
        providers=providers,
        scopes=scopes,
        return_to_origins=return_to_origins,
        webhook_url=webhook_url,
        allow_login=allow_login,
    )
    return change_app(id, name, found, as_json=as_json)


def _collect(**settings: Any) -> dict[str, Any]:
    """Return the settings that were given."""
    return {name: value for name, value in settings.items() if value is not None and value != []}


@verb(apps, "delete")
def delete_app(id: _Id) -> int:  # noqa: A002
    """Delete an app that no user is connected for, and its keys with it."""
    from worker.cli.access.apps import delete_app

    return delete_app(id)


@verb(apps, "revoke-queue-key")
def revoke_queue_key(id: _Id) -> int:  # noqa: A002
    """Revoke an app's queue keys of up to now."""
    from worker.cli.access.apps import revoke_queue_key

    return revoke_queue_key(id)


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
