"""Run of an import: its counts, its report of what was refused, and how far it has come."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, Final

from actors.moving.field_map import FieldMap
from actors.moving.file_import import Progress, Refusal
from actors.moving.files import FileRecord
from config import current_settings
from worker.cli.terminal.progress import ProgressLine
from worker.errors import FileThere

_PRIVATE: Final = 0o600
#: A line of a report has a number, a code and a sentence.
_MAX_LINE: Final = 10_000


class ImportRun:
    """One import of one file: its counts, its report, and how far it has come."""

    def __init__(
        self, name: str, size: int, fields: FieldMap, report: str | None, *, is_trial: bool
    ) -> None:
        folder = current_settings().var_dir / "imports"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._fields = fields
        self._state = folder / f"{name}.json"
        self._report = Path(report) if report else folder / f"{name}.refused.jsonl"
        self._is_trial = is_trial
        self._size = size
        self._counts: Counter[str] = Counter()
        self._done = 0
        self._settings, self._settings_refused = 0, list[Refusal]()
        if not is_trial:
            self._read_state()
        if report and not self._done:
            _check_report(self._report)

    def _read_state(self) -> None:
        with contextlib.suppress(FileNotFoundError, ValueError, KeyError, TypeError):
            state = json.loads(self._state.read_text())
            self._counts, self._done = Counter(state["counts"]), int(state["records"])
            print(f"An import of this file has stopped after {self._done} records; it goes on.")

    def note_settings(self, count: int, refused: list[Refusal]) -> None:
        """Keep how many settings come before the connections, and which of them were refused."""
        self._settings, self._settings_refused = count, refused

    def skip_done(self, records: Iterator[FileRecord]) -> Iterator[FileRecord]:
        """Return the records that are not dealt with yet."""
        return (record for record in records if record.number > self._done)

    def follow(self, batches: Iterator[Progress]) -> int:
        """Show the progress of batches, keep it and what was refused, and return the status."""
        if not self._done:
            self._report.unlink(missing_ok=True)
        self._write_refusals(self._settings_refused)
        with ProgressLine(self._size) as line:
            for batch in batches:
                self._counts += batch.counts
                self._done = batch.records
                self._write_refusals(batch.refusals)
                if not self._is_trial:
                    _write(self._state, {"records": self._done, "counts": self._counts})
                line.show(batch.position, self._describe())
        self._state.unlink(missing_ok=True)
        return self._conclude()

    def _write_refusals(self, refusals: Sequence[Refusal]) -> None:
        if not refusals:
            return
        descriptor = os.open(self._report, os.O_WRONLY | os.O_APPEND | os.O_CREAT, _PRIVATE)
        with os.fdopen(descriptor, "a", encoding="utf-8") as report:
            for refusal in refusals:
                report.write(json.dumps(asdict(refusal)) + "\n")

    def _describe(self) -> str:
        found = ", ".join(f"{count} {name}" for name, count in sorted(self._counts.items()))
        count = max(self._done - self._settings, 0)
        return f"{count} records: {found or 'nothing to import'}"

    def summarize(self) -> dict[str, Any]:
        """Return how many records were dealt with, what came of them, and where the refused are."""
        report = str(self._report) if self._report.exists() else None
        return {"records": self._done, "counts": dict(self._counts), "report": report}

    def _conclude(self) -> int:
        print(f"{self._describe()}.{' Nothing was stored.' if self._is_trial else ''}")
        for unused in self._fields.list_unused() if self._done else ():
            print(f"No record has anything where --map {unused} leads.", file=sys.stderr)
        failed = self._counts["refused"] + self._counts["unverified"]
        failed += len(self._settings_refused)
        if failed:
            print(f"{self._report} has each of the {failed} that failed.", file=sys.stderr)
        return 1 if failed else 0


def _check_report(path: Path) -> None:
    """Refuse to replace a file that is no report, or to begin where none can be written.

    Raises:
        FileThere: It is another file.
        OSError: It cannot be written.
    """
    if not path.exists():
        # Written and gone again: the first refusal would come in the middle of the import.
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT, _PRIVATE))
        path.unlink()
    elif not _is_report(path):
        raise FileThere(f"{path} is there already, and no report of an import: name another.")


def _is_report(path: Path) -> bool:
    """Return whether a file is empty, or begins as a report does."""
    with path.open("rb") as file:
        line = file.readline(_MAX_LINE)
    with contextlib.suppress(ValueError):
        return not line or set(json.loads(line)) == {one.name for one in fields(Refusal)}
    return False


def _write(path: Path, state: Any) -> None:
    """Replace a file as a whole: a stop leaves the old one or the new one."""
    draft = path.with_suffix(".tmp")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _PRIVATE), "w") as file:
        json.dump(state, file)
    draft.replace(path)
