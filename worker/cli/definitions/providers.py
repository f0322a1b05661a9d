"""`providers`: settings, checks, pauses, and the catalogue of presets."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

from worker.cli.terminal.commands import noun, verb
from worker.cli.terminal.options import ForApp, Json, Limit

providers = noun("Providers: settings, checks, pauses, and the catalogue.")

_Name: TypeAlias = Annotated[
    str, typer.Argument(metavar="NAME", help="The provider's name, such as google.")
]


@verb(providers, "list")
def list_providers(app: ForApp = None, as_json: Json = False) -> int:
    """List the providers and whether renewals with them go on."""
    from worker.cli.work.providers import print_providers

    return print_providers(app, as_json=as_json)


@verb(providers, "show")
def show_provider(name: _Name, app: ForApp = None, as_json: Json = False) -> int:
    """Show a provider, without its secrets."""
    from worker.cli.work.providers import print_provider

    return print_provider(name, app, as_json=as_json)


@verb(providers, "search")
def search_catalogue(
    words: Annotated[
        list[str] | None, typer.Argument(metavar="WORD", help="All presets if left out.")
    ] = None,
    limit: Limit = 100,
    as_json: Json = False,
) -> int:
    """Find presets in the catalogue by words of their names."""
    from worker.cli.work.catalogue import print_presets

    return print_presets(words or (), limit, as_json=as_json)


@verb(providers, "check")
def check_provider(name: _Name, app: ForApp = None, as_json: Json = False) -> int:
    """Look a provider's settings over: each finding comes with its remedy."""
    from worker.cli.work.providers import print_findings

    return print_findings(name, app, as_json=as_json)


@verb(providers, "set")
def set_provider(
    name: _Name,
    settings: Annotated[
        list[str],
        typer.Argument(
            metavar="SETTING=VALUE",
            help="VALUE may be JSON; null removes a setting, and - reads a secret from stdin.",
        ),
    ],
    app: ForApp = None,
    as_json: Json = False,
) -> int:
    """Change settings of a provider, or set a new one up."""
    from worker.cli.work.providers import set_provider

    return set_provider(name, settings, app, as_json=as_json)


@verb(providers, "pause")
def pause_provider(
    name: _Name,
    reason: Annotated[
        str | None, typer.Option(metavar="TEXT", help="A sentence for apps and operators.")
    ] = None,
    app: ForApp = None,
    as_json: Json = False,
) -> int:
    """Pause the renewals with a provider until they are resumed; sign-ins go on."""
    from worker.cli.work.providers import pause_provider

    return pause_provider(name, reason, app, as_json=as_json)


@verb(providers, "resume")
def resume_provider(name: _Name, app: ForApp = None, as_json: Json = False) -> int:
    """Let the renewals with a provider go on, however they were paused."""
    from worker.cli.work.providers import resume_provider

    return resume_provider(name, app, as_json=as_json)
