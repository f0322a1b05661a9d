"""`passwords build-breach-filter`: a Bloom filter of a breach list, with its progress."""

from __future__ import annotations

from pathlib import Path

from actors.passwords.breaches.bloom_builder import build_filter
from worker.cli.terminal.output import json_answer
from worker.cli.terminal.progress import ProgressLine

#: The bar is counted in steps of this: a file may have more bytes than it can show.
_STEPS = 10_000


def build_breach_filter(
    file: str, to: str | None, false_positives: float, minimum_count: int, *, as_json: bool
) -> int:
    """Write a filter, and print what it has.

    Raises:
        BreachListInvalid: The list cannot be used, or the filter not be written there.
        OSError: As BreachListInvalid.
    """
    source = Path(file)
    target = Path(to) if to else source.with_name(f"{source.name}.filter")
    with json_answer(as_json) as answer, ProgressLine(_STEPS) as line:

        def report(step: str, done: int, total: int) -> None:
            line.show(done * _STEPS // max(1, total), step)

        built = build_filter(source, target, false_positives, minimum_count, report)
        size = target.stat().st_size
        answer.update(file=str(target), entries=built.entries, bytes=size)
        print(f"{target} has {built.entries:,} hashes of {built.algorithm.name} in {size:,} bytes.")
        print(f'Name it in config.toml: [Passwords] breach_list = "{target.resolve()}"')
    return 0
