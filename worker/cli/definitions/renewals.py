"""`renewals`: the plan, of which nothing is carried out."""

from __future__ import annotations

from typing import Annotated

import typer

from worker.cli.terminal.options import Json, Limit, Provider


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
