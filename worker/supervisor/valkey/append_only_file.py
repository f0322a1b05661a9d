"""Append-only file of Valkey: mends its end after a power failure, or sets all of it aside.

A file system may leave NUL bytes or half a record where the last second was to be written.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

_FOLDER: Final = "appendonlydir"
_FILE: Final = re.compile(r".*\.(?P<number>\d+)\.(?P<kind>base|incr)\.aof")
_LENGTH: Final = re.compile(rb"[*$](\d{1,10})\r\n")
_MAX_LINE_BYTES: Final = 64 * 1024
_CHUNK_BYTES: Final = 1024 * 1024


def cut_unreadable_end(directory: Path, aside: Path) -> int:
    """Cut the files off behind the last whole command; return how many bytes were moved to `aside`.

    What follows the first damage is cut as well: later commands build on those before.
    """
    cut = 0
    for path in _in_order(directory / _FOLDER):
        with path.open("r+b") as file:
            end = 0 if cut else find_readable_end(file)
            size = file.seek(0, os.SEEK_END)
            if end < size:
                aside.mkdir(mode=0o700, parents=True, exist_ok=True)
                _copy_rest(file, end, aside / f"{path.name}.from-byte-{end}")
                file.truncate(end)
                os.fsync(file.fileno())
                cut += size - end
    return cut


def set_aside(directory: Path, aside: Path) -> None:
    """Move all append-only files to `aside`, so that the server begins with none."""
    if (directory / _FOLDER).exists():
        aside.mkdir(mode=0o700, parents=True, exist_ok=True)
        (directory / _FOLDER).replace(aside / _FOLDER)


def find_readable_end(file: BinaryIO) -> int:
    """Return the offset behind the last whole command; a transaction counts once it is complete."""
    end = 0
    is_in_transaction = False
    for name in _read_names(file):
        is_in_transaction = name == b"MULTI" or (is_in_transaction and name != b"EXEC")
        if not is_in_transaction:
            end = file.tell()
    return end


def _in_order(folder: Path) -> list[Path]:
    """Return the files that hold commands, the oldest first."""
    found = [(match, path) for path in folder.glob("*") if (match := _FILE.fullmatch(path.name))]
    found.sort(key=lambda pair: (pair[0]["kind"], int(pair[0]["number"])))
    return [path for _, path in found]


def _read_names(file: BinaryIO) -> Iterator[bytes]:
    """Yield the name of each whole command, as long as the bytes are commands (RESP arrays)."""
    while line := file.readline(_MAX_LINE_BYTES):
        if line.startswith(b"#") and line.endswith(b"\n"):  # An annotation, such as the time.
            yield b"#"
            continue
        count = _LENGTH.fullmatch(line)
        if count is None or not line.startswith(b"*"):
            return
        words = [_read_word(file) for _ in range(int(count[1]))]
        if not words or None in words:
            return
        yield (words[0] or b"").upper()


def _read_word(file: BinaryIO) -> bytes | None:
    line = file.readline(_MAX_LINE_BYTES)
    length = _LENGTH.fullmatch(line)
    if length is None or not line.startswith(b"$"):
        return None
    word = file.read(int(length[1]) + 2)
    return word[:-2] if len(word) == int(length[1]) + 2 and word.endswith(b"\r\n") else None


def _copy_rest(file: BinaryIO, offset: int, target: Path) -> None:
    file.seek(offset)
    with target.open("wb") as copy:
        while chunk := file.read(_CHUNK_BYTES):
            copy.write(chunk)
        copy.flush()
        os.fsync(copy.fileno())
