"""`python -m worker import`: moves the connections of a file in, and goes on where it stopped."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO, Final

from actors.app_settings import read_app_settings
from actors.moving.age import decrypt
from actors.moving.field_map import FieldMap, parse_pairs
from actors.moving.file_import import Progress, import_records
from actors.moving.files import FileRecord, choose_format, read_records
from catfeeder.queue.requester import act_for
from config import current_settings
from models.db.database import open_database
from models.migrate import check_schema
from worker.cli.progress import ProgressLine

_PRIVATE: Final = 0o600
_FINGERPRINT_BYTES: Final = 65536


def import_file(
    file: str,
    app: str,
    *,
    provider: str | None,
    maps: Sequence[str],
    renames: Sequence[str],
    file_format: str | None,
    dry_run: bool,
    verify: bool,
    replace: bool,
    report: str | None,
    identity: str | None = None,
) -> int:
    """Import a file for an app; return 1 where a record was refused, or a grant not proven.

    Raises:
        ImportFileInvalid: The file, or a flag, is not what it has to be.
        AppUnknown: There is no such app.
        ConfigurationError, DatabaseUnreachable, SchemaTooOld: The database cannot be used.
    """
    paths = parse_pairs(maps, are_members=True)
    fields = FieldMap(paths, provider, parse_pairs(renames), replace)
    path = Path(file)
    is_export = identity is not None
    kind = choose_format(path, "jsonl" if is_export else file_format)
    open_database(current_settings(), may_create=False)
    check_schema()
    read_app_settings(app)
    with _open(path, identity) as opened, act_for(app):
        run = _Run(opened, fields, app, report, is_trial=dry_run)
        records = run.skip_done(read_records(opened, kind))
        verifier = _load_verifier() if verify else None
        batches = import_records(records, fields, is_trial=dry_run, verify=verifier)
        return run.follow(batches)


def _open(path: Path, identity: str | None) -> BinaryIO:
    """Return a file to read; an encrypted one is decrypted in memory, and never on a disk."""
    if identity is None:
        return path.open("rb")
    with path.open("rb") as source:
        opened = io.BytesIO()
        decrypt(source, opened, Path(identity))
    opened.seek(0)
    return opened


def _load_verifier() -> Any:
    from actors.moving.verification import verify_connection

    return verify_connection


class _Run:
    """One import of one file: its counts, its report, and how far it has come."""

    def __init__(
        self, file: BinaryIO, fields: FieldMap, app: str, report: str | None, *, is_trial: bool
    ) -> None:
        folder = current_settings().var_dir / "imports"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = _fingerprint(file, fields, app)
        self._state = folder / f"{name}.json"
        self._report = Path(report) if report else folder / f"{name}.refused.jsonl"
        self._is_trial = is_trial
        self._size = _measure(file)
        self._counts: Counter[str] = Counter()
        self._done = 0
        if not is_trial:
            self._read_state()

    def _read_state(self) -> None:
        with contextlib.suppress(FileNotFoundError, ValueError, KeyError, TypeError):
            state = json.loads(self._state.read_text())
            self._counts, self._done = Counter(state["counts"]), int(state["records"])
            print(f"An import of this file has stopped after {self._done} records; it goes on.")

    def skip_done(self, records: Iterator[FileRecord]) -> Iterator[FileRecord]:
        """Return the records that are not dealt with yet."""
        return (record for record in records if record.number > self._done)

    def follow(self, batches: Iterator[Progress]) -> int:
        """Show the progress of batches, keep it and what was refused, and return the status."""
        if not self._done:
            self._report.unlink(missing_ok=True)
        line = ProgressLine(self._size)
        for batch in batches:
            self._counts += batch.counts
            self._done = batch.records
            self._write_refusals(batch)
            if not self._is_trial:
                _write(self._state, {"records": self._done, "counts": self._counts})
            line.show(batch.position, self._describe())
        line.end()
        self._state.unlink(missing_ok=True)
        return self._conclude()

    def _write_refusals(self, batch: Progress) -> None:
        if not batch.refusals:
            return
        descriptor = os.open(self._report, os.O_WRONLY | os.O_APPEND | os.O_CREAT, _PRIVATE)
        with os.fdopen(descriptor, "a", encoding="utf-8") as report:
            for refusal in batch.refusals:
                report.write(json.dumps(asdict(refusal)) + "\n")

    def _describe(self) -> str:
        found = ", ".join(f"{count} {name}" for name, count in sorted(self._counts.items()))
        return f"{self._done} records: {found}"

    def _conclude(self) -> int:
        print(f"{self._describe()}.{' Nothing was stored.' if self._is_trial else ''}")
        failed = self._counts["refused"] + self._counts["unverified"]
        if failed:
            print(f"{self._report} has each of the {failed} that failed.", file=sys.stderr)
        return 1 if failed else 0


def _measure(file: BinaryIO) -> int:
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    return size


def _fingerprint(file: BinaryIO, fields: FieldMap, app: str) -> str:
    """Return a name of an import: of this file, as it is read, for this app."""
    beginning = file.read(_FINGERPRINT_BYTES)
    file.seek(0)
    asked = json.dumps([app, asdict(fields), _measure(file)], sort_keys=True)
    return hashlib.sha256(beginning + asked.encode()).hexdigest()[:16]


def _write(path: Path, state: Any) -> None:
    """Replace a file as a whole: a stop leaves the old one or the new one."""
    draft = path.with_suffix(".tmp")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _PRIVATE), "w") as file:
        json.dump(state, file)
    draft.replace(path)
