"""Folder of range files: one for each five digits that hashes begin with, of the lines' rest."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from actors.passwords.breaches.digests import (
    PREFIX_DIGITS,
    Algorithm,
    Hit,
    find_in_range,
    join_digests,
)
from actors.passwords.errors import BreachListInvalid, BreachListUnavailable

_PREFIXES: Final = 16**PREFIX_DIGITS
#: Some of the million, from one end to the other.
_SAMPLES: Final = (*range(0, _PREFIXES, _PREFIXES // 64), _PREFIXES - 1)
#: Those that the downloaders give them.
_SUFFIXES: Final = (".txt", "")


class RangeFolder:
    """The files, each read when it is asked for: new ones count at once."""

    def __init__(self, path: Path) -> None:
        """Look at some of the files.

        Raises:
            BreachListInvalid: One is missing, or has no lines of hashes, or of another algorithm.
            OSError: One cannot be read.
        """
        self._path = path
        self._suffix = next((each for each in _SUFFIXES if (path / f"00000{each}").exists()), "")
        try:
            lines = [self._read(number).partition(b"\n")[0] for number in _SAMPLES]
        except FileNotFoundError as error:
            name = Path(error.filename).name
            raise BreachListInvalid(f"is a folder without the range file {name}") from None
        self.algorithm = Algorithm.of_line(lines[0], PREFIX_DIGITS)
        if any(Algorithm.of_line(line, PREFIX_DIGITS) is not self.algorithm for line in lines):
            raise BreachListInvalid("is a folder with range files of both SHA-1 and NTLM")
        self.size = _PREFIXES

    def describe(self) -> str:
        """Return what the list is, for operators."""
        return f"a folder of range files of {self.algorithm.name}"

    def find(self, digest: bytes) -> Hit | None:
        """Return what the list says of a digest, or None.

        Raises:
            BreachListUnavailable: The range file is missing, cannot be read, or is damaged.
        """
        number = int(digest.hex()[:PREFIX_DIGITS], 16)
        try:
            return find_in_range(self._read(number), digest, self.algorithm)
        except (OSError, BreachListInvalid):
            raise BreachListUnavailable from None

    def count_entries(self) -> Iterator[tuple[int, int]]:
        """Yield how many lines another file has, and 1 for the file."""
        for number in range(_PREFIXES):
            yield self._read(number).rstrip().count(b"\n") + 1, 1

    def read_digests(self, minimum_count: int) -> Iterator[tuple[bytes, int]]:
        """Yield the digests of another file, joined, and 1 for the file.

        Raises:
            BreachListInvalid: A line is none of a hash.
            OSError: A file cannot be read.
        """
        for number in range(_PREFIXES):
            prefix = b"%05X" % number
            lines = [prefix + line for line in self._read(number).split(b"\n") if line.strip()]
            yield join_digests(lines, self.algorithm.digits, minimum_count), 1

    def _read(self, number: int) -> bytes:
        return (self._path / f"{number:05X}{self._suffix}").read_bytes()
