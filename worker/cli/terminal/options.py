"""Options that several commands have."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Annotated, TypeAlias

import typer


def check_choice(option: str, value: str | None, choices: Iterable[str]) -> None:
    """Return if a value is one of the choices, or none was given.

    Raises:
        typer.BadParameter: It is none of them.
    """
    known = [str(choice) for choice in choices]
    if value is not None and value not in known:
        raise typer.BadParameter(f"{option} is one of {', '.join(known)}.")


def complete(module: str, enumeration: str) -> Callable[[str], list[str]]:
    """Return what a shell completes an option by; the words are loaded where a shell asks."""

    def list_words(incomplete: str) -> list[str]:
        words = map(str, getattr(import_module(module), enumeration))
        return [word for word in words if word.startswith(incomplete)]

    return list_words


Json: TypeAlias = Annotated[
    bool, typer.Option("--json", help="Print JSON, in the shapes of the API.")
]
App: TypeAlias = Annotated[
    str | None, typer.Option("--app", metavar="APP", help="Of this app alone.")
]
ForApp: TypeAlias = Annotated[
    str | None,
    typer.Option("--app", metavar="APP", help="An app's own, or as it sees a shared one."),
]
OneApp: TypeAlias = Annotated[str, typer.Option("--app", metavar="APP", help="The app's id.")]
Limit: TypeAlias = Annotated[
    int, typer.Option("--limit", min=1, max=100_000, metavar="N", help="How many to list.")
]
Cursor: TypeAlias = Annotated[
    str | None,
    typer.Option("--cursor", metavar="CURSOR", help="The `next_cursor` of the page before."),
]
Provider: TypeAlias = Annotated[
    str | None, typer.Option("--provider", metavar="NAME", help="Of this provider alone.")
]
Overwrite: TypeAlias = Annotated[
    bool, typer.Option("--overwrite", help="Replace a file of that name.")
]
Yes: TypeAlias = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
