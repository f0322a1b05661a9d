"""`apps`: the apps that share the service, and their settings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

from worker.cli.terminal.commands import noun, verb
from worker.cli.terminal.options import Json

apps = noun("The apps that share the service.")

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
_Logo: TypeAlias = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="A PNG, JPEG or WebP image that its users' pages show."),
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


def _take_settings(
    command: Callable[[str, str | None, dict[str, Any], bool], int],
) -> Callable[..., int]:
    """Return a command with an option for each setting; it gets those that were given."""

    def run(
        id: _Id,  # noqa: A002
        *,
        name: _Name = None,
        maximum_rounds: _Rounds = None,
        requests_per_minute: _Rate = None,
        providers: _Providers = None,
        scopes: _Scopes = None,
        return_to_origins: _Origins = None,
        webhook_url: _Webhook = None,
        logo: _Logo = None,
        allow_login: _Login = None,
        as_json: Json = False,
    ) -> int:
        from worker.cli.access.apps import read_logo

        settings = {
            "maximum_rounds": maximum_rounds,
            "requests_per_minute": requests_per_minute,
            "providers": providers,
            "scopes": scopes,
            "return_to_origins": return_to_origins,
            "webhook_url": webhook_url,
            "logo": read_logo(logo),
            "allow_login": allow_login,
        }
        given = {name: value for name, value in settings.items() if value not in (None, [])}
        return command(id, name, given, as_json)

    run.__name__, run.__doc__ = command.__name__, command.__doc__
    return run


@verb(apps, "add")
@_take_settings
def add_app(app_id: str, name: str | None, settings: dict[str, Any], as_json: bool) -> int:
    """Make an app."""
    from worker.cli.access.apps import add_app

    return add_app(app_id, name, settings, as_json=as_json)


@verb(apps, "change")
@_take_settings
def change_app(app_id: str, name: str | None, settings: dict[str, Any], as_json: bool) -> int:
    """Change settings of an app; those that are left out stay."""
    from worker.cli.access.apps import change_app

    return change_app(app_id, name, settings, as_json=as_json)


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
