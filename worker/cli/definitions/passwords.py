"""`passwords`: what hashes cost on this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from worker.cli.terminal.commands import noun, verb
from worker.cli.terminal.options import Json

passwords = noun("What hashes of passwords cost on this machine.")


@verb(passwords, "tune")
def tune(
    target_ms: Annotated[
        float,
        typer.Option("--target-ms", min=1, max=60_000, metavar="N", help="How long one may take."),
    ] = 250,
    as_json: Json = False,
) -> int:
    """Measure bcrypt and Argon2id here, and print the parameters that stay within a time."""
    from worker.cli.work.passwords import print_calibration

    return print_calibration(target_ms, as_json=as_json)
