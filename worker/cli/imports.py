"""`python -m worker import`: reads a file, and moves its connections in."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from actors.apps.settings import read_app_settings
from actors.moving.age import decrypt
from actors.moving.errors import ImportFileInvalid
from actors.moving.field_map import FieldMap, parse_pairs
from actors.moving.file_import import import_records
from actors.moving.files import FileRecord, choose_format, read_records
from actors.moving.restoring import Restoration
from catfeeder.clock import utc_now
from catfeeder.queue.requester import act_for
from config import current_settings
from models.db.database import open_database
from models.migrate import check_schema
from models.oauth.imports.bulk import rolled_back
from worker.cli.import_run import ImportRun
from worker.cli.restores import find_app, restore_settings, take_settings
from worker.cli.terminal.output import json_answer

_PART_BYTES: Final = 1_048_576


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOptions:
    """What the command was given besides the file."""

    #: Whose the connections become; None is an export's own app, else `default`.
    app: str | None
    provider: str | None
    maps: Sequence[str]
    renames: Sequence[str]
    file_format: str | None
    dry_run: bool
    verify: bool
    replace: bool
    report: str | None
    #: The file of an age identity, which opens an export.
    identity: str | None
    #: An export's API keys are restored as well.
    keys: bool

    @property
    def is_export(self) -> bool:
        """Whether the file is an export, with settings before the connections."""
        return self.identity is not None

    def read_fields(self) -> FieldMap:
        """Return how records are read.

        Raises:
            ImportFileInvalid: A flag is not what it has to be.
        """
        paths = parse_pairs(self.maps, are_members=True)
        return FieldMap(paths, self.provider, parse_pairs(self.renames), self.replace)


def import_file(file: str, options: ImportOptions, *, as_json: bool = False) -> int:
    """Import a file for an app; return 1 where a record was refused, or a grant not proven.

    An export restores the app and its providers as well where they are not there.

    Raises:
        ImportFileInvalid: The file, or a flag, is not what it has to be.
        AppUnknown: There is no such app.
        ConfigurationError, DatabaseUnreachable, SchemaTooOld: The database cannot be used.
    """
    fields, path = options.read_fields(), Path(file)
    kind = choose_format(path, "jsonl" if options.is_export else options.file_format)
    open_database(current_settings(), may_create=False)
    check_schema()
    with json_answer(as_json) as answer, _open(path, options.identity) as opened:
        size, digest = _measure(opened)
        records = read_records(opened, kind, fields.check_columns)
        settings, records = take_settings(records) if options.is_export else ([], records)
        app = options.app or find_app(settings)
        name = _name_run(digest, fields, app)
        run = ImportRun(name, size, fields, options.report, is_trial=options.dry_run)
        # What the settings make is there for the connections, and then it is gone.
        with rolled_back() if settings and options.dry_run else nullcontext():
            restoration = Restoration(app, utc_now(), with_keys=options.keys)
            run.note_settings(len(settings), restore_settings(settings, restoration))
            status = _import_connections(app, records, run, fields, options)
        answer.update(run.summarize())
    return status


def _import_connections(
    app: str,
    records: Iterator[FileRecord],
    run: ImportRun,
    fields: FieldMap,
    options: ImportOptions,
) -> int:
    """Import what is not dealt with yet, and return the status of the command."""
    read_app_settings(app)
    verify = _load_verifier() if options.verify else None
    with act_for(app):
        rest = run.skip_done(records)
        return run.follow(import_records(rest, fields, is_trial=options.dry_run, verify=verify))


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
