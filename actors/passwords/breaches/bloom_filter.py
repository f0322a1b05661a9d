"""Bloom filter of a breach list: a digest sets bits of one block, so a look-up reads one page.

The block is chosen by the digest's first 8 bytes, in their order: a sorted list is written from
front to back. The next 8 bytes choose the bits in it.
"""

from __future__ import annotations

import math
import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from actors.passwords.breaches.digests import Algorithm, Hit
from actors.passwords.errors import BreachListInvalid, BreachListUnavailable

MAGIC: Final = b"CFBREACH"
BLOCK_BYTES: Final = 4096
_VERSION: Final = 1
#: Version, algorithm, bits of a digest, blocks, entries, minimum count, CRC-32 of the blocks; then
#: that of all before it.
_HEAD: Final = struct.Struct(">8sHBBQQQII")
#: The head has a block of its own, so that each of the others is a page of the file.
HEAD_BYTES: Final = BLOCK_BYTES
_MASK: Final = (1 << 64) - 1
_POSITION_SHIFT: Final = 64 - 15
_MAXIMUM_BITS: Final = 24
#: Odd numbers, whose high product bits are independent of each other: multiples of the golden
#: ratio's.
_FACTORS: Final = tuple(
    (0x9E3779B97F4A7C15 * (2 * each + 1) + 0xD1B54A32D192ED03 * 2 * each & _MASK) | 1
    for each in range(_MAXIMUM_BITS)
)
_CHUNK_BYTES: Final = 1 << 22


@dataclass(frozen=True, slots=True)
class Parameters:
    """What a filter was built with."""

    algorithm: Algorithm
    bits: int
    blocks: int
    entries: int
    minimum_count: int

    @classmethod
    def choose(
        cls, algorithm: Algorithm, entries: int, false_positives: float, minimum_count: int
    ) -> Self:
        """Return the smallest filter that takes so many other passwords for entries, as a share."""
        bits_an_entry = -math.log(false_positives) / math.log(2) ** 2
        # Blocks fill unevenly, by a few in a hundred.
        blocks = math.ceil(max(1, entries) * bits_an_entry * 1.02 / (8 * BLOCK_BYTES))
        bits = min(_MAXIMUM_BITS, max(1, round(bits_an_entry * math.log(2))))
        return cls(algorithm, bits, blocks, entries, minimum_count)

    @property
    def factors(self) -> tuple[int, ...]:
        """What the second half of a digest is multiplied with for each of its bits."""
        return _FACTORS[: self.bits]

    def pack(self, blocks_crc: int) -> bytes:
        """Return the head of a file, as long as a block."""
        values = (self.algorithm, self.bits, self.blocks, self.entries, self.minimum_count)
        head = _HEAD.pack(MAGIC, _VERSION, *values, blocks_crc, 0)[:-4]
        return (head + struct.pack(">I", zlib.crc32(head))).ljust(HEAD_BYTES, b"\0")


class BloomFilter:
    """A filter's file, open for as long as it is asked, whatever takes its place meanwhile."""

    def __init__(self, path: Path) -> None:
        """Open a file and check all of it, at some gigabytes a second.

        Raises:
            BreachListInvalid: It is damaged, cut off, or of another release.
            OSError: It cannot be read.
        """
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self.parameters, crc = _unpack(os.pread(self._descriptor, HEAD_BYTES, 0))
        size = os.fstat(self._descriptor).st_size
        if size != HEAD_BYTES + self.parameters.blocks * BLOCK_BYTES or crc != self._measure(size):
            raise BreachListInvalid("is a filter that is damaged or cut off: build it again")
        self.algorithm = self.parameters.algorithm

    def __del__(self) -> None:
        """Close the file."""
        if hasattr(self, "_descriptor"):
            os.close(self._descriptor)

    def describe(self) -> str:
        """Return what the list is, for operators."""
        return f"a filter of {self.parameters.entries:,} hashes ({self.algorithm.name})"

    def find(self, digest: bytes) -> Hit | None:
        """Return a hit without a count if the filter was given a digest, and seldom for others.

        Raises:
            BreachListUnavailable: The file can no longer be read.
        """
        first, second = struct.unpack_from(">QQ", digest)
        block = first * self.parameters.blocks >> 64
        try:
            page = os.pread(self._descriptor, BLOCK_BYTES, HEAD_BYTES + block * BLOCK_BYTES)
            for factor in self.parameters.factors:
                position = (second * factor & _MASK) >> _POSITION_SHIFT
                if not page[position >> 3] & 0x80 >> (position & 7):
                    return None
        except (OSError, IndexError):
            raise BreachListUnavailable from None
        return Hit(None)

    def _measure(self, size: int) -> int:
        crc = 0
        for offset in range(HEAD_BYTES, size, _CHUNK_BYTES):
            crc = zlib.crc32(os.pread(self._descriptor, _CHUNK_BYTES, offset), crc)
        return crc


def _unpack(head: bytes) -> tuple[Parameters, int]:
    """Return the parameters and the CRC-32 of the blocks."""
    try:
        magic, version, algorithm, *numbers, blocks_crc, crc = _HEAD.unpack_from(head)
    except struct.error:
        raise BreachListInvalid("is too short for a filter") from None
    if magic != MAGIC or crc != zlib.crc32(head[: _HEAD.size - 4]):
        raise BreachListInvalid("is no filter, or one with a damaged head")
    if version != _VERSION:
        raise BreachListInvalid("is a filter of another release: build it again")
    return Parameters(Algorithm(algorithm), *numbers), blocks_crc
