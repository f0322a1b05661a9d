"""`passwords`: what hashes cost on this machine, and filters of breach lists."""

from __future__ import annotations

from typing import Annotated

import typer

from worker.cli.terminal.commands import noun, verb
from worker.cli.terminal.options import Json

passwords = noun("What hashes of passwords cost here, and filters of leaked ones.")


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


@verb(passwords, "build-breach-filter")
def build_breach_filter(
    file: Annotated[
        str,
        typer.Argument(metavar="FILE", help="A sorted file of hashes, or a folder of range files."),
    ],
    to: Annotated[
        str | None,
        typer.Option("--to", metavar="FILE", help="What to write; FILE.filter unless you say so."),
    ] = None,
    false_positives: Annotated[
        float,
        typer.Option(
            "--false-positives",
            min=1e-6,
            max=0.1,
            metavar="SHARE",
            help="The share of good passwords that it takes for leaked ones.",
        ),
    ] = 0.001,
    minimum_count: Annotated[
        int,
        typer.Option(
            "--minimum-count", min=1, metavar="N", help="Leave out what has leaked less often."
        ),
    ] = 1,
    as_json: Json = False,
) -> int:
    """Build a Bloom filter of a breach list, some 25 times smaller, for [Passwords] breach_list."""
    from worker.cli.work.breach_filters import build_breach_filter as build

    return build(file, to, false_positives, minimum_count, as_json=as_json)
