"""Backup file: a head, the rows of each table as lines of JSON, and an end; compressed by gzip."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final, TypedDict

from models.db.errors import BackupInvalid

_FORMAT: Final = "catfeeder-backup"
_VERSION: Final = 1
#: Stands for bytes, which JSON has not.
_BYTES: Final = "b"


class Head(TypedDict):
    """What a backup says of itself."""

    format: str
    version: int
    release: str
    made_at: str
    #: The ids of the keys that sealed what is in it; the keys themselves are in no backup.
    key_ids: list[str]
    #: The names of the migrations that its tables had.
    migrations: list[str]


def build_head(
    release: str, made_at: str, key_ids: Iterable[str], migrations: Iterable[str]
) -> Head:
    """Return the head of a backup in this release's format."""
    return {
        "format": _FORMAT,
        "version": _VERSION,
        "release": release,
        "made_at": made_at,
        "key_ids": sorted(key_ids),
        "migrations": sorted(migrations),
    }


class BackupWriter:
    """Writes a backup to an open file, which stays open."""

    def __init__(self, file: BinaryIO, head: Head) -> None:
        self._file = gzip.GzipFile(fileobj=file, mode="wb", compresslevel=6, filename="")
        self._counts: dict[str, int] = {}
        self._write(head)

    def write_table(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
        """Write the rows of a table, and return their count."""
        self._write({"table": table, "columns": columns})
        self._counts[table] = 0
        for row in rows:
            self._write([_encode(value) for value in row])
            self._counts[table] += 1
        return self._counts[table]

    def finish(self) -> None:
        """Write the end, without which no backup is whole."""
        self._write({"end": self._counts})
        self._file.close()

    def _write(self, value: object) -> None:
        self._file.write(json.dumps(value, separators=(",", ":")).encode() + b"\n")


class BackupReader:
    """Reads a backup, once, from its beginning to its end."""

    def __init__(self, path: Path) -> None:
        """Open a file and read its head.

        Raises:
            BackupInvalid: It is none of ours, or of a later format.
            OSError: It cannot be read.
        """
        self._lines = _read_lines(path)
        head = next(self._lines, None)
        if not isinstance(head, dict) or head.get("format") != _FORMAT:
            raise BackupInvalid
        if head.get("version") != _VERSION:
            raise BackupInvalid("The backup is of a later release: restore it with that.")
        self.head: Head = head  # type: ignore[assignment]  # As `build_head` made it.
        self._next: Any = next(self._lines, None)

    def read_tables(self) -> Iterator[tuple[str, list[str], Iterator[list[Any]]]]:
        """Yield each table with its columns and rows, which are to be read before the next.

        Raises:
            BackupInvalid: The file ends early, or has not the rows that it should.
        """
        counts: dict[str, int] = {}
        while isinstance(self._next, dict) and "table" in self._next:
            table = str(self._next["table"])
            yield table, self._next["columns"], self._read_rows(table, counts)
        if not isinstance(self._next, dict) or self._next.get("end") != counts:
            raise BackupInvalid("The backup ends early, or was changed: nothing is restored.")

    def _read_rows(self, table: str, counts: dict[str, int]) -> Iterator[list[Any]]:
        counts[table] = 0
        for line in self._lines:
            self._next = line
            if not isinstance(line, list):
                return
            counts[table] += 1
            yield [_decode(value) for value in line]
        self._next = None


def _read_lines(path: Path) -> Iterator[Any]:
    try:
        with gzip.open(path, "rb") as file:
            for line in file:
                yield json.loads(line)
    except (EOFError, ValueError, zlib.error, gzip.BadGzipFile):
        raise BackupInvalid from None


def _encode(value: Any) -> Any:
    if isinstance(value, bytes | bytearray | memoryview):
        return {_BYTES: base64.b64encode(value).decode()}
    return value


def _decode(value: Any) -> Any:
    return base64.b64decode(value[_BYTES]) if isinstance(value, Mapping) else value
