"""Files of connections: JSON Lines, a JSON list, or CSV, read record by record."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal

from actors.moving.errors import ImportFileInvalid

FileFormat = Literal["jsonl", "json", "csv"]
_BY_SUFFIX: Final[Mapping[str, FileFormat]] = {
    ".csv": "csv",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
}
#: Tokens with many claims take some 16,000 characters, and a column may hold a whole answer.
_MAX_FIELD: Final = 1_048_576


@dataclass(frozen=True, slots=True)
class FileRecord:
    """One record: its number from 1, where reading stands, and its members, None if unreadable."""

    number: int
    #: Bytes of the file that were read so far.
    position: int
    members: Mapping[str, Any] | None


def choose_format(path: Path, wanted: str | None) -> FileFormat:
    """Return the format of a file: the wanted one, or that of its name.

    Raises:
        ImportFileInvalid: Neither says it.
    """
    found = _BY_SUFFIX.get(f".{wanted}" if wanted else path.suffix.lower())
    if found is None:
        raise ImportFileInvalid("The file's name says no format: give --format jsonl, json or csv.")
    return found


def read_records(file: BinaryIO, kind: FileFormat) -> Iterator[FileRecord]:
    """Yield the records of a file.

    Raises:
        ImportFileInvalid: It is not of this format at all.
    """
    if kind == "csv":
        return _read_csv(file)
    return _read_lines(file) if kind == "jsonl" else _read_list(file)


def _read_lines(file: BinaryIO) -> Iterator[FileRecord]:
    number = position = 0
    for line in file:
        position += len(line)
        if line.strip():
            number += 1
            yield FileRecord(number, position, _parse_object(line))


def _parse_object(line: bytes) -> Mapping[str, Any] | None:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _read_list(file: BinaryIO) -> Iterator[FileRecord]:
    """Yield the objects of a list, or of the one list that an object has."""
    text = file.read()
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise ImportFileInvalid("The file is no JSON.") from None
    lists = [it for it in found.values() if isinstance(it, list)] if _is_object(found) else [found]
    if len(lists) != 1 or not isinstance(lists[0], list):
        raise ImportFileInvalid("The file holds no list of connections.")
    items = lists[0]
    for number, item in enumerate(items, 1):
        yield FileRecord(
            number, len(text) * number // len(items), item if _is_object(item) else None
        )


def _is_object(value: object) -> bool:
    return isinstance(value, dict)


def _read_csv(file: BinaryIO) -> Iterator[FileRecord]:
    csv.field_size_limit(_MAX_FIELD)
    counted = _CountedLines(file)
    try:
        for number, row in enumerate(csv.DictReader(counted), 1):
            # A row with too many or too few fields has a name, or a value, of None.
            is_whole = None not in row and None not in row.values()
            members = {name: value for name, value in row.items() if value != ""}
            yield FileRecord(number, counted.position, members if is_whole else None)
    except (csv.Error, UnicodeDecodeError):
        raise ImportFileInvalid("The file is no CSV in UTF-8.") from None


class _CountedLines:
    """The lines of a file as text, and how many bytes of it they took."""

    def __init__(self, file: BinaryIO) -> None:
        self._lines = io.BufferedReader(file) if isinstance(file, io.RawIOBase) else file
        self.position = 0

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            encoding = "utf-8" if self.position else "utf-8-sig"
            self.position += len(line)
            yield line.decode(encoding)
