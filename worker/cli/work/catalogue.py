"""`providers search`: the presets that there are, and what each needs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from actors.providers.catalogue.search import search_catalogue
from catfeeder.results import CatalogueEntry
from worker.cli.terminal.output import print_json
from worker.cli.terminal.sentences import say_in_commands


def print_presets(words: Sequence[str], limit: int, *, as_json: bool) -> int:
    """Print the presets whose name has all the words; return 1 when there is none."""
    page = search_catalogue(" ".join(words), limit)
    if as_json:
        print_json(page)
        return 0 if page["items"] else 1
    for entry in page["items"]:
        print("\n".join(_write_lines(entry)))
    if page["next_cursor"] is not None:
        print(f"... and more: give a further word, or a --limit above {limit}.")
    if not page["items"]:
        print("No preset has such a name; any provider can be set up: docs/providers.md says how.")
    return 0 if page["items"] else 1


def _write_lines(entry: CatalogueEntry) -> Iterator[str]:
    yield f"{entry['preset']:<32}  {entry['title']}"
    yield f"    set up by {' and '.join(entry['environment'])}"
    if entry["needs"]:
        remedy = say_in_commands(f"PUT /v1/providers/{entry['preset']}")
        yield f"    needs {', '.join(entry['needs'])}: {remedy}"
    for name, rule in entry["variables"].items():
        yield f"    each user gives {name}: {rule if isinstance(rule, str) else ', '.join(rule)}"
    if entry["stated_by"]:
        yield f"    stated by {', '.join(entry['stated_by'])}; not tried against the real provider"
