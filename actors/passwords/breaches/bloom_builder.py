"""Builder of Bloom filters: reads a list once from front to back, and has one block in memory."""

from __future__ import annotations

import dataclasses
import os
import shutil
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

from actors.passwords.breaches.bloom_filter import (
    BLOCK_BYTES,
    HEAD_BYTES,
    MAGIC,
    Parameters,
)
from actors.passwords.breaches.digests import Algorithm
from actors.passwords.breaches.range_folder import RangeFolder
from actors.passwords.breaches.sorted_file import SortedFile
from actors.passwords.errors import BreachListInvalid

#: Is called with what is done in which step, of how much.
Report = Callable[[str, int, int], None]

_MASK: Final = (1 << 64) - 1
_POSITION_SHIFT: Final = 64 - 15
_ZEROS: Final = b"0" * (8 * BLOCK_BYTES)
_ONE: Final = ord("1")
#: The first 16 bytes of a digest, of the bytes that it has.
_HALVES: Final = {Algorithm.SHA1: struct.Struct(">QQ4x"), Algorithm.NTLM: struct.Struct(">QQ")}


class BlockWriter:
    """Writes blocks in their order; one that no digest falls into is of zeros."""

    def __init__(self, path: Path, parameters: Parameters) -> None:
        self._file = path.open("xb")
        self._file.write(bytes(HEAD_BYTES))
        self._parameters = parameters
        self._bits = bytearray(_ZEROS)
        self._block = 0
        self._crc = 0
        self.entries = 0

    def add(self, digests: bytes) -> None:
        """Set the bits of digests.

        Raises:
            BreachListInvalid: One belongs before the digest that came last.
        """
        blocks, factors, bits = self._parameters.blocks, self._parameters.factors, self._bits
        unpack = _HALVES[self._parameters.algorithm]
        for first, second in unpack.iter_unpack(digests):
            block = first * blocks >> 64
            if block != self._block:
                self._end_block(block)
            for factor in factors:
                bits[(second * factor & _MASK) >> _POSITION_SHIFT] = _ONE
        self.entries += len(digests) // unpack.size

    def finish(self) -> Parameters:
        """Write what is left and the head, let the disk have it, and return what the file has."""
        self._end_block(self._parameters.blocks)
        written = dataclasses.replace(self._parameters, entries=self.entries)
        self._file.seek(0)
        self._file.write(written.pack(self._crc))
        self._file.flush()
        os.fsync(self._file.fileno())
        return written

    def close(self) -> None:
        """Close the file, whole or not."""
        self._file.close()

    def _end_block(self, next_block: int) -> None:
        if next_block < self._block:
            raise BreachListInvalid("is not sorted by hash: take the download that is")
        self._write(int(self._bits, 2).to_bytes(BLOCK_BYTES, "big"))
        self._bits[:] = _ZEROS
        for _ in range(self._block + 1, next_block):
            self._write(bytes(BLOCK_BYTES))
        self._block = next_block

    def _write(self, page: bytes) -> None:
        self._crc = zlib.crc32(page, self._crc)
        self._file.write(page)


def build_filter(
    source: Path, target: Path, false_positives: float, minimum_count: int, report: Report
) -> Parameters:
    """Build the filter of a sorted file, or of a folder of range files, and return what it has.

    The target has its name once it is whole; a filter that was there before is replaced.

    Raises:
        BreachListInvalid: The source is no such list, or the target would replace another file.
        OSError: The source cannot be read, or the target not be written.
    """
    _check_target(target)
    breach_list = RangeFolder(source) if source.is_dir() else SortedFile(source)
    entries = done = 0
    for count, part in breach_list.count_entries():
        entries, done = entries + count, done + part
        report("counting", done, breach_list.size)
    wanted = Parameters.choose(breach_list.algorithm, entries, false_positives, minimum_count)
    _check_room(target, wanted)
    draft = target.with_name(f".{target.name}.{os.getpid()}.part")
    writer = BlockWriter(draft, wanted)
    try:
        done = 0
        for digests, part in breach_list.read_digests(minimum_count):
            writer.add(digests)
            done += part
            report("building", done, breach_list.size)
        written = writer.finish()
        draft.replace(target)
    finally:
        writer.close()
        draft.unlink(missing_ok=True)
    return written


def _check_target(target: Path) -> None:
    if not target.exists():
        return
    with target.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise BreachListInvalid("would replace a file that is no filter", target)


def _check_room(target: Path, wanted: Parameters) -> None:
    needed = HEAD_BYTES + wanted.blocks * BLOCK_BYTES
    free = shutil.disk_usage(target.parent).free
    if needed > free:
        raise BreachListInvalid(f"needs {needed:,} bytes, of which {free:,} are free", target)
