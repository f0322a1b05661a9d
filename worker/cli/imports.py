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

from actors.apps.settings import read_app_settings
from actors.moving.age import decrypt
from actors.moving.errors import ImportFileInvalid
from actors.moving.field_map import FieldMap, parse_pairs
from actors.moving.file_import import Progress, Refusal, import_records
from actors.moving.files import FileRecord, choose_format, read_records
from actors.moving.restoring import Restoration
from catfeeder.clock import utc_now
from catfeeder.queue.requester import act_for
from config import current_settings
from models.db.database import open_database
from models.migrate import check_schema
from models.oauth.imports.bulk import rolled_back
from worker.cli.restores import find_app, restore_settings, take_settings
from worker.cli.terminal.output import json_answer
from worker.cli.terminal.progress import ProgressLine

_PRIVATE: Final = 0o600
_PART_BYTES: Final = 1_048_576


def import_file(
    file: str,
    app: str | None,
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
    keys: bool = False,
    as_json: bool = False,
) -> int:
    """Import a file for an app; return 1 where a record was refused, or a grant not proven.

    An export, which `identity` opens, restores the app and its providers as well where they are not
    there, and with `keys` its API keys.

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
    with (
        json_answer(as_json) as answer,
        _open(path, identity) as opened,
        contextlib.ExitStack() as stack,
    ):
        size, digest = _measure(opened)
        records = read_records(opened, kind, fields.check_columns)
        settings, records = take_settings(records) if is_export else ([], records)
        app = app or find_app(settings)
        name = _name_run(digest, fields, app)
        run = _Run(name, size, fields, report, is_trial=dry_run)
        if settings and dry_run:
            # What the settings make is there for the connections, and then it is gone.
            stack.enter_context(rolled_back())
        refused = restore_settings(settings, Restoration(app, utc_now(), with_keys=keys))
        run.note_settings(len(settings), refused)
        read_app_settings(app)
        stack.enter_context(act_for(app))
        verifier = _load_verifier() if verify else None
        rest = run.skip_done(records)
        status = run.follow(import_records(rest, fields, is_trial=dry_run, verify=verifier))
        answer.update(run.summarize())
    return status


def _open(path: Path, identity: str | None) -> BinaryIO:
    """Return a file to read; an encrypted one is decrypted in memory, and never on a disk."""
    if path.is_dir():
        raise ImportFileInvalid("It is a directory, and no file.")
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


def _measure(file: BinaryIO) -> tuple[int, str]:
    """Return a file's size in bytes, and the digest of all of it."""
    size, digest = 0, hashlib.sha256()
    while part := file.read(_PART_BYTES):
        size += len(part)
        digest.update(part)
    file.seek(0)
    return size, digest.hexdigest()


def _name_run(digest: str, fields: FieldMap, app: str) -> str:
    """Return a name of an import: of this file, as it is read, for this app."""
    read_as = [dict(fields.paths), fields.provider, dict(fields.renamed), fields.replace]
    asked = json.dumps([digest, app, *read_as], sort_keys=True)
    return hashlib.sha256(asked.encode()).hexdigest()[:16]


def _write(path: Path, state: Any) -> None:
    """Replace a file as a whole: a stop leaves the old one or the new one."""
    draft = path.with_suffix(".tmp")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _PRIVATE), "w") as file:
        json.dump(state, file)
    draft.replace(path)
