"""`python -m worker export`: writes all of an app, encrypted to an age recipient."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from actors.apps.settings import read_app_settings
from actors.moving.age import encrypt
from actors.moving.exporting import export_lines
from config import current_settings
from models.db.database import open_database
from models.migrate import check_schema
from worker.cli.terminal.files import open_whole
from worker.cli.terminal.output import json_answer
from worker.cli.terminal.progress import ProgressLine


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """What the command was given besides the file."""

    app: str
    recipients: Sequence[str]
    may_overwrite: bool = field(kw_only=True)


def export_app(file: str, options: ExportOptions, *, as_json: bool = False) -> int:
    """Write all of an app to a new file; return 1 where a row could not be read.

    Raises:
        AgeUnavailable, ImportFileInvalid: As `encrypt`.
        AppUnknown: There is no such app.
        FileThere, OSError: As `open_whole`.
        ConfigurationError, DatabaseUnreachable, SchemaTooOld: The database cannot be used.
    """
    open_database(current_settings(), may_create=False)
    check_schema()
    read_app_settings(app := options.app)
    counts: Counter[str] = Counter()
    path = Path(file)
    with open_whole(path, may_overwrite=options.may_overwrite) as output:
        encrypt(_show_progress(export_lines(app, counts), counts), output, options.recipients)
    found = ", ".join(f"{counts[name]} {name}" for name in ("connections", "providers", "keys"))
    with json_answer(as_json) as answer:
        answer.update(file=str(path), counts=dict(counts))
        print(f"The app {app} is in {path}: {found}.")
    if counts["unreadable"]:
        text = "could not be read; `python -m worker rows list` lists rows that do not count."
        print(f"{counts['unreadable']} {text}", file=sys.stderr)
    return 1 if counts["unreadable"] else 0


def _show_progress(lines: Iterable[bytes], counts: Mapping[str, int]) -> Iterator[bytes]:
    """Pass lines on, and show how many connections there were so far."""
    with ProgressLine() as line:
        for one in lines:
            yield one
            line.show(counts["connections"], f"{counts['connections']} connections")
