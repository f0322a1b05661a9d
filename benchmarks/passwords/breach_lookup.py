"""Breach list: what look-ups take among millions of leaked passwords, and what a filter takes.

The list is made up: really so many sorted SHA-1s, random within their order. `make bench` has 10
million, in a minute or two; `python -m benchmarks.passwords.breach_lookup` has 100 million, which
take 4.5 GB of the disk and a quarter of an hour. It is erased at the end, unless a folder is named
to keep it in.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from actors.passwords.breaches.bloom_builder import build_filter
from actors.passwords.breaches.bloom_filter import BloomFilter
from actors.passwords.breaches.digests import Hit
from actors.passwords.breaches.sorted_file import SortedFile
from benchmarks.measuring.figures import Figure, milliseconds, table

_BUCKETS: Final = 1 << 16
_DIGITS_BEHIND: Final = 36
_LOOKUPS: Final = 20_000
_LINE_BYTES: Final = 45
_FALSE_POSITIVES: Final = 0.001


def write_list(path: Path, entries: int) -> None:
    """Write so many sorted lines: each bucket has its share, with random digests in order."""
    with path.open("wb") as file:
        for bucket in range(_BUCKETS):
            count = entries * (bucket + 1) // _BUCKETS - entries * bucket // _BUCKETS
            digits = os.urandom(count * _DIGITS_BEHIND // 2).hex().upper()
            rest = sorted(
                digits[at : at + _DIGITS_BEHIND] for at in range(0, len(digits), _DIGITS_BEHIND)
            )
            end = f":{bucket % 900 + 100}\n"
            file.write("".join([f"{bucket:04X}{each}{end}" for each in rest]).encode())


def measure(entries: int = 10_000_000, kept: Path | None = None) -> list[Figure]:
    """Make the list, or take the one that the folder has, and its filter, and look up in both."""
    folder = kept or Path(tempfile.mkdtemp(prefix="cf-"))
    path, filtered = folder / "hashes", folder / "hashes.filter"
    try:
        if not path.exists():
            write_list(path, entries)
        known = _sample(path, _LOOKUPS)
        began = time.process_time()
        build_filter(path, filtered, _FALSE_POSITIVES, 1, lambda *_: None)
        seconds = time.process_time() - began
        return [
            *_compare(f"sorted file of {entries:,}", path, SortedFile(path).find, known),
            *_compare(f"filter of {entries:,}", filtered, BloomFilter(filtered).find, known),
            Figure(f"a filter of {entries:,} is built", f"{seconds:.0f} s of a core"),
        ]
    finally:
        if kept is None:
            shutil.rmtree(folder)


def _compare(
    name: str, path: Path, find: Callable[[bytes], Hit | None], known: list[bytes]
) -> Iterator[Figure]:
    """Look up what the list has, and what it has not, by wall time and by core time."""
    for what, digests in (("of the list", known), ("of others", [os.urandom(20) for _ in known])):
        walls, found = _take_times(find, digests, time.perf_counter)
        cores, _ = _take_times(find, digests, time.thread_time)
        yield Figure(
            f"look-ups {what}, {name} ({path.stat().st_size / 1e9:.2f} GB)",
            f"{milliseconds(walls)}; {found:,} of {len(digests):,} found",
            f"core time: {milliseconds(cores)}",
            goal="under 1 ms",
        )


def _take_times(
    find: Callable[[bytes], Hit | None], digests: list[bytes], clock: Callable[[], float]
) -> tuple[list[float], int]:
    """Return the seconds that each look-up takes, and how many are found."""
    durations, found = [], 0
    for digest in digests:
        began = clock()
        hit = find(digest)
        durations.append(clock() - began)
        found += hit is not None
    return durations, found


def _sample(path: Path, count: int) -> list[bytes]:
    """Return digests of the list, from all over it."""
    size, digests = path.stat().st_size, []
    with path.open("rb") as file:
        for number in range(count):
            file.seek(number * size // count)
            file.readline()
            digests.append(bytes.fromhex(file.readline()[:40].decode() or "0" * 40))
    return digests[:-1]


def main(arguments: list[str]) -> int:
    """Print what look-ups take among as many as are asked for."""
    parser = argparse.ArgumentParser(prog="benchmarks.passwords.breach_lookup")
    parser.add_argument("--entries", type=int, default=100_000_000)
    parser.add_argument("--keep", type=Path, help="a folder to keep the list in")
    chosen = parser.parse_args(arguments)
    needed = 2 * chosen.entries * _LINE_BYTES
    if (free := shutil.disk_usage(chosen.keep or tempfile.gettempdir()).free) < needed:
        print(f"{needed / 1e9:.1f} GB are needed, and {free / 1e9:.1f} are free.", file=sys.stderr)
        return 1
    print(table(measure(chosen.entries, chosen.keep)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
