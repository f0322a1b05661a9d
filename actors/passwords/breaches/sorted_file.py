"""Sorted file of hashes, one `HASH:count` a line: searched in place by bisection, with no index."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from actors.passwords.breaches.digests import (
    LINE,
    LINE_BYTES,
    NO_LINE,
    Algorithm,
    Hit,
    find_line,
    join_digests,
)
from actors.passwords.errors import BreachListInvalid, BreachListUnavailable

#: What is read at once at the end of a search.
_BLOCK_BYTES: Final = 4096
#: Hashes are spread evenly: among a billion, one stands as near as this to its share of the file.
#: Where it does not, bisection goes on in the rest.
_NEAR_SHARE: Final = 1 / 2048
_SAMPLES: Final = 64
#: A file of up to this size is checked line by line.
_SMALL_BYTES: Final = 1 << 20
#: A list of this size that was downloaded as a whole has hashes that begin with FF.
_LARGE_BYTES: Final = 1 << 18
_CHUNK_BYTES: Final = 1 << 20
_CUT_OFF: Final = "is cut off: its last hashes are missing"


class SortedFile:
    """One file, open for as long as it is searched, whatever takes its place meanwhile."""

    def __init__(self, path: Path) -> None:
        """Open a file and look at some of its lines.

        Raises:
            BreachListInvalid: They are no sorted hashes, or the end is missing.
            OSError: It cannot be read.
        """
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        size = os.fstat(self._descriptor).st_size
        tail = self._read(max(0, size - _BLOCK_BYTES), _BLOCK_BYTES)
        #: Up to the end of the last line; some lists have blank ones behind it.
        self.size = size - len(tail) + len(tail.rstrip())
        self.algorithm = Algorithm.of_line(self._read(0, LINE_BYTES).partition(b"\n")[0])
        self._check_order()

    def __del__(self) -> None:
        """Close the file."""
        if hasattr(self, "_descriptor"):
            os.close(self._descriptor)

    def describe(self) -> str:
        """Return what the list is, for operators."""
        return f"a sorted file of {self.algorithm.name} ({self.size / 1e9:.1f} GB)"

    def find(self, digest: bytes) -> Hit | None:
        """Return what the list says of a digest, or None.

        Raises:
            BreachListUnavailable: The file can no longer be read, or is damaged.
        """
        wanted = digest.hex().upper().encode()
        try:
            low, high = self._narrow(wanted)
            return find_line(self._read(low, high - low + LINE_BYTES), wanted)
        except (OSError, BreachListInvalid):
            raise BreachListUnavailable from None

    def count_entries(self) -> Iterator[tuple[int, int]]:
        """Yield how many lines another part of the file has, and its size in bytes."""
        offset = 0
        while chunk := self._read_chunk(offset):
            offset += len(chunk)
            yield chunk.count(b"\n") or 1, len(chunk)

    def read_digests(self, minimum_count: int) -> Iterator[tuple[bytes, int]]:
        """Yield the digests of another part of the file, joined, and its size in bytes.

        Raises:
            BreachListInvalid: A line is none of a hash.
        """
        offset, rest, digits = 0, b"", self.algorithm.digits
        while chunk := self._read_chunk(offset):
            offset += len(chunk)
            *lines, rest = (rest + chunk).split(b"\n")
            yield join_digests(lines, digits, minimum_count), len(chunk)
        yield join_digests([rest] if rest else [], digits, minimum_count), 0

    def _check_order(self) -> None:
        """Compare some lines, or all of a small file, and look for the end."""
        is_small = self.size <= _SMALL_BYTES
        lines = self._read(0, self.size).split(b"\n") if is_small else self._sample()
        *before, last = lines
        if any(Algorithm.of_line(line) is not self.algorithm for line in before):
            raise BreachListInvalid("has hashes of both SHA-1 and NTLM")
        hashes = [line[: self.algorithm.digits].upper() for line in lines]
        # First, as half a hash may sort before the one that it follows.
        if LINE.fullmatch(last) is None or len(hashes[-1]) != self.algorithm.digits:
            raise BreachListInvalid(_CUT_OFF)
        if hashes != sorted(hashes):
            raise BreachListInvalid("is not sorted by hash: take the download that is")
        if self.size > _LARGE_BYTES and not hashes[-1].startswith(b"FF"):
            raise BreachListInvalid(_CUT_OFF)

    def _sample(self) -> list[bytes]:
        """Return lines from all over the file, the first and the last included."""
        starts = [self._find_hash(self.size * each // _SAMPLES)[0] for each in range(1, _SAMPLES)]
        lines = [self._read(start, LINE_BYTES).partition(b"\n")[0] for start in (0, *starts)]
        end = self._read(self.size - LINE_BYTES, LINE_BYTES)
        return [*lines, end.rpartition(b"\n")[2]]

    def _narrow(self, wanted: bytes) -> tuple[int, int]:
        """Return between which offsets the wanted line begins, if there is one: within a block."""
        low, high = 0, self.size
        guess = int(int(wanted[:8], 16) / 0xFFFFFFFF * self.size)
        near = int(self.size * _NEAR_SHARE)
        for middle in (guess - near, guess + near):
            if low < middle < high - 1:
                low, high = self._halve(low, high, middle, wanted)
        while high - low > _BLOCK_BYTES:
            low, high = self._halve(low, high, (low + high) // 2, wanted)
        return low, high

    def _halve(self, low: int, high: int, middle: int, wanted: bytes) -> tuple[int, int]:
        """Return which part of a range the wanted line begins in."""
        start, text = self._find_hash(middle)
        if start >= high or text > wanted:
            return low, middle + 1
        return start, high

    def _find_hash(self, offset: int) -> tuple[int, bytes]:
        """Return where the first line behind an offset begins, and its hash in capitals.

        Raises:
            BreachListInvalid: There is none where one must be.
        """
        chunk = self._read(offset, 2 * LINE_BYTES)
        before, end, rest = chunk.partition(b"\n")
        start, text = offset + len(before) + len(end), rest[: self.algorithm.digits].upper()
        if start < self.size and len(text) < self.algorithm.digits:
            raise BreachListInvalid(NO_LINE)
        return start, text

    def _read_chunk(self, offset: int) -> bytes:
        return self._read(offset, min(_CHUNK_BYTES, self.size - offset))

    def _read(self, offset: int, count: int) -> bytes:
        return os.pread(self._descriptor, count, offset)
