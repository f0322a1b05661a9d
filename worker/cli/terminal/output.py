"""Output of commands: tables on a terminal, tab-separated text in a pipe, JSON on request."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, redirect_stdout
from typing import Any, Final, TypeVar

T = TypeVar("T")

#: The colours of states on a terminal; the words say the same without.
_STYLES: Final = {
    **dict.fromkeys(("active", "succeeded", "closed", "ok"), "green"),
    **dict.fromkeys(("failed", "FAIL", "reauthorization_required", "open", "paused"), "red"),
    **dict.fromkeys(("renewal_failing", "half_open", "pending", "running"), "yellow"),
}
#: The longest cell that is not broken, an id; how wide a column of longer ones is at least; and
#: what lies between two columns.
_UNBROKEN: Final = 36
_SENTENCE: Final = 24
_GAP: Final = 3


def is_terminal() -> bool:
    """Return whether a person reads what is printed."""
    return sys.stdout.isatty()


def print_json(value: object) -> None:
    """Print JSON data, in ASCII: no control character of another program reaches a terminal."""
    print(json.dumps(value, indent=2))


@contextmanager
def json_answer(is_wanted: bool) -> Iterator[dict[str, Any]]:
    """Yield what the block fills, and print it as JSON if that is wanted; text then goes to stderr.

    Where the block raises, nothing is printed.
    """
    answer: dict[str, Any] = {}
    with redirect_stdout(sys.stderr) if is_wanted else nullcontext():
        yield answer
    if is_wanted:
        print_json(answer)


def print_rows(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> int:
    """Print rows below their heads, nothing where there are none, and return their count."""
    texts = ([to_text(cell) for cell in row] for row in rows)
    if is_terminal():
        return _print_table(heads, list(texts))
    count = 0
    for count, row in enumerate(texts, 1):
        if count == 1:
            print("\t".join(heads))
        print("\t".join(row))
    return count


def print_page(
    items: Sequence[T],
    next_cursor: str | None,
    heads: Sequence[str],
    to_row: Callable[[T], Sequence[object]],
    *,
    as_json: bool,
) -> None:
    """Print a page of a list; stderr says how to go on where there are more."""
    if as_json:
        print_json({"items": items, "next_cursor": next_cursor})
        return
    print_rows(heads, map(to_row, items))
    if next_cursor:
        print(f"There are more: --cursor {next_cursor}", file=sys.stderr)


def print_members(members: Mapping[str, Any]) -> None:
    """Print the members of one thing, one a line."""
    rows = [[name, to_text(value)] for name, value in members.items()]
    if is_terminal():
        _print_table((), rows)
        return
    for row in rows:
        print("\t".join(row))


def to_text(value: object) -> str:
    """Return a value as one line; control characters, which another may have chosen, as `?`."""
    match value:
        case None | "":
            text = "-"
        case bool():
            text = "yes" if value else "no"
        case dict():
            text = json.dumps(value)
        case list() | tuple():
            text = ", ".join(map(to_text, value)) or "-"
        case _:
            text = str(value)
    return "".join(character if character.isprintable() else "?" for character in text)


def _print_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    # Loaded for a terminal alone: it costs a tenth of a second.
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    if not rows:
        print("There is nothing to list.", file=sys.stderr)
        return 0
    widths = [_find_width(column) for column in zip(heads or ("", ""), *rows, strict=True)]
    table = Table(box=SIMPLE_HEAD, show_header=bool(heads), pad_edge=False)
    for head, width in zip(heads or ("", ""), widths, strict=True):
        table.add_column(head, overflow="fold", min_width=width)
    for row in rows:
        table.add_row(*(Text(cell, _STYLES.get(cell, "")) for cell in row))
    console = Console(highlight=False)
    # A narrow terminal breaks lines by itself: an id stays one word.
    console.width = max(console.width, sum(widths) + _GAP * len(widths))
    console.print(table)
    return len(rows)


def _find_width(cells: Sequence[str]) -> int:
    """Return the least width of a column: ids and times are not broken, sentences are."""
    longest = max(map(len, cells))
    return longest if longest <= _UNBROKEN else max(len(cells[0]), _SENTENCE)
