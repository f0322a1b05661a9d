"""Command line of the catalogue: `generate FACTS` writes presets, `page` the page of docs/.

Without a command it runs the harness and prints the table and the counts by catalogue.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def main() -> int:
    """Carry out one command and return its status."""
    parser = argparse.ArgumentParser(prog="python -m tests.catalogue")
    commands = parser.add_subparsers(dest="command")
    generating = commands.add_parser("generate", help="write presets from facts, a JSON file")
    generating.add_argument("facts", type=Path)
    generating.add_argument("--anew", action="store_true", help="write those that are there too")
    commands.add_parser("page", help="write docs/catalogue.md")
    wishes = parser.parse_args()
    if wishes.command == "generate":
        return _generate(wishes.facts, anew=wishes.anew)
    if wishes.command == "page":
        return _write_page()
    from tests.catalogue.table import print_table

    return print_table()


def _generate(facts: Path, *, anew: bool) -> int:
    from tests.catalogue.generate import generate

    for name, reason in generate(facts, anew=anew).items():
        print(f"{name}: {reason}")
    return 0


def _write_page() -> int:
    from tests.catalogue.page import PAGE, write_page

    PAGE.write_text(write_page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
