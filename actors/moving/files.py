"""Files of connections: JSON Lines, a JSON list, or CSV, read record by record."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal

from actors.moving.errors import ImportFileInvalid
from actors.moving.values import parse_json

FileFormat = Literal["jsonl", "json", "csv"]
_BY_SUFFIX: Final[Mapping[str, FileFormat]] = {
    ".csv": "csv",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
}
#: Tokens with many claims take some 16,000 characters, and a column may hold a whole answer.
_MAX_LINE: Final = 1_048_576
_MAX_LIST_BYTES: Final = 1_073_741_824
_UTF_8_MARK: Final = b"\xef\xbb\xbf"
#: Of UTF-16, and of UTF-32 in one order.
_OTHER_MARKS: Final = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")
_DELIMITERS: Final = ",;\t|"
_SURROGATE: Final = re.compile("[\ud800-\udfff]")

_NO_OBJECT: Final = "It is no object of JSON."
_NO_UTF_8: Final = "It is not in UTF-8."
_TOO_LONG: Final = f"It is longer than {_MAX_LINE} bytes."
_NO_ROW: Final = "It has not as many fields as the first line names."
_CUT_OFF: Final = "Its quotes do not match, or the file ends within it."
_HAS_NUL: Final = "It has a NUL character."


@dataclass(frozen=True, slots=True)
class FileRecord:
    """One record: its number from 1, where reading stands, and its members, None if unreadable."""

    number: int
    #: Bytes of the file that were read so far.
    position: int
    members: Mapping[str, Any] | None
    #: Why it is unreadable.
    problem: str = _NO_OBJECT


def choose_format(path: Path, wanted: str | None) -> FileFormat:
    """Return the format of a file: the wanted one, or that of its name.

    Raises:
        ImportFileInvalid: Neither says it.
    """
    found = _BY_SUFFIX.get(f".{wanted}" if wanted else path.suffix.lower())
    if found is None:
        raise ImportFileInvalid("The file's name says no format: give --format jsonl, json or csv.")
    return found


def read_records(
    file: BinaryIO, kind: FileFormat, check_columns: Callable[[Sequence[str]], object]
) -> Iterator[FileRecord]:
    """Yield the records of a file; `check_columns` gets the names of a CSV's first line.

    Raises:
        ImportFileInvalid: It is not of this format at all, or `check_columns` raises it.
    """
    mark = file.read(4)
    file.seek(0)
    if mark.startswith(_OTHER_MARKS):
        raise ImportFileInvalid("The file is in UTF-16 or UTF-32: save it in UTF-8.")
    if kind == "json":
        return _read_list(file)
    lines = _Lines(file)
    return _read_csv(lines, check_columns) if kind == "csv" else _read_json_lines(lines)


class _Lines:
    """The lines of a file, none of them longer than can be held, and how far they are read."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.position = 0

    def __iter__(self) -> Iterator[bytes | None]:
        """Yield each line, None for one that is too long."""
        while line := self._file.readline(_MAX_LINE):
            is_first = self.position == 0
            self.position += len(line)
            is_whole = len(line) < _MAX_LINE or line.endswith(b"\n")
            if not is_whole:
                self._skip_rest()
            yield line.removeprefix(_UTF_8_MARK if is_first else b"") if is_whole else None

    def _skip_rest(self) -> None:
        while (rest := self._file.readline(_MAX_LINE)) and not rest.endswith(b"\n"):
            self.position += len(rest)
        self.position += len(rest)


def _read_json_lines(lines: _Lines) -> Iterator[FileRecord]:
    number = 0
    for line in lines:
        if line is None or line.strip():
            number += 1
            yield FileRecord(number, lines.position, *_parse_line(line))


def _parse_line(line: bytes | None) -> tuple[Mapping[str, Any] | None, str]:
    if line is None:
        return None, _TOO_LONG
    try:
        found = parse_json(line.decode())
    except UnicodeDecodeError:
        return None, _NO_UTF_8
    except (ValueError, RecursionError):
        return None, _NO_OBJECT
    return (found if _is_object(found) else None), _NO_OBJECT


def _read_list(file: BinaryIO) -> Iterator[FileRecord]:
    """Yield the objects of a list, or of the one list that an object has."""
    text = file.read(_MAX_LIST_BYTES + 1)
    if len(text) > _MAX_LIST_BYTES:
        raise ImportFileInvalid("The file is too large for one list: write JSON Lines.")
    try:
        found = parse_json(text.removeprefix(_UTF_8_MARK).decode())
    except (ValueError, RecursionError):
        raise ImportFileInvalid("The file is no JSON in UTF-8, or it is cut off.") from None
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


def _read_csv(
    lines: _Lines, check_columns: Callable[[Sequence[str]], object]
) -> Iterator[FileRecord]:
    csv.field_size_limit(_MAX_LINE)
    texts = _Texts(lines)
    names = _read_names(texts)
    check_columns(names)
    # Strict: a field that the file's end cuts off is an error, and no shorter field.
    rows = csv.reader(texts, delimiter=texts.delimiter, strict=True)
    number = 0
    while (row := _read_row(rows, texts)) is not None:
        if row or texts.problem:
            number += 1
            yield FileRecord(number, lines.position, *_name_fields(names, row, texts.problem))


def _read_names(texts: _Texts) -> list[str]:
    """Return the names of the columns, and let `texts` know what parts them."""
    first = next(texts, "")
    texts.delimiter = max(_DELIMITERS, key=first.count)
    try:
        names = next(csv.reader([first], delimiter=texts.delimiter, strict=True), [])
    except csv.Error:
        names = []
    if texts.problem or not any(names):
        raise ImportFileInvalid("The file is no CSV in UTF-8 whose first line names the columns.")
    if len({*names}) < len(names):
        raise ImportFileInvalid("The file's first line names a column twice: rename one of them.")
    return [name.strip() for name in names]


def _read_row(rows: Iterator[list[str]], texts: _Texts) -> list[str] | None:
    """Return the next row, an empty one with a problem, or None at the end."""
    texts.problem = ""
    try:
        return next(rows, None)
    except csv.Error:
        texts.problem = texts.problem or _CUT_OFF
        return []


def _name_fields(
    names: Sequence[str], row: Sequence[str], problem: str
) -> tuple[Mapping[str, str] | None, str]:
    if problem or len(row) != len(names):
        return None, problem or _NO_ROW
    return {name: value for name, value in zip(names, row, strict=True) if value != ""}, ""


class _Texts:
    """The lines of a CSV as text; `problem` says what is wrong with one since the last look."""

    def __init__(self, lines: _Lines) -> None:
        self._lines = iter(lines)
        self.delimiter = ","
        self.problem = ""

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        text = "" if line is None else line.decode(errors="surrogateescape")
        if line is None:
            self.problem = _TOO_LONG
        elif "\0" in text:
            self.problem = _HAS_NUL
        elif _SURROGATE.search(text):
            self.problem = _NO_UTF_8
        return text
