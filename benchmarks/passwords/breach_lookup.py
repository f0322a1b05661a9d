"""`python -m benchmarks.passwords.breach_lookup`: look-ups among 100 million leaked passwords.

The list is made up: really so many sorted SHA-1s, random within their order. It takes 4.5 GB of the
disk and some minutes, and is erased at the end unless a folder is named to keep it in.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from actors.passwords.breaches.bloom_builder import build_filter
from actors.passwords.breaches.bloom_filter import BloomFilter
from actors.passwords.breaches.digests import Hit
from actors.passwords.breaches.sorted_file import SortedFile

_BUCKETS: Final = 1 << 16
_DIGITS_BEHIND: Final = 36
_LOOKUPS: Final = 20_000
_LINE_BYTES: Final = 45


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


def measure(
    find: Callable[[bytes], Hit | None], known: list[bytes], clock: Callable[[], float]
) -> tuple[float, float, int]:
    """Return the median and the 99th percentile in milliseconds, and how many were found."""
    durations, found = [], 0
    for digest in known:
        began = clock()
        hit = find(digest)
        durations.append((clock() - began) * 1000)
        found += hit is not None
    durations.sort()
    return durations[len(durations) // 2], durations[len(durations) * 99 // 100], found


def _sample(path: Path, count: int) -> list[bytes]:
    """Return digests of the list, from all over it."""
    size, digests = path.stat().st_size, []
    with path.open("rb") as file:
        for number in range(count):
            file.seek(number * size // count)
            file.readline()
            digests.append(bytes.fromhex(file.readline()[:40].decode() or "0" * 40))
    return digests[:-1]


def _report(name: str, path: Path, find: Callable[[bytes], Hit | None], known: list[bytes]) -> None:
    others = [os.urandom(20) for _ in known]
    print(f"{name} ({path.stat().st_size / 1e9:.2f} GB)")
    for what, digests in (("of the list", known), ("others", others)):
        # The first time, parts of the list may be on the disk alone.
        for times, clock in (
            ("first", time.perf_counter),
            ("again", time.perf_counter),
            ("core time", time.thread_time),
        ):
            median, late, found = measure(find, digests, clock)
            print(
                f"- {len(digests):,} {what}, {times}: median {median:.3f} ms, 99 % within "
                f"{late:.3f} ms; {found:,} found",
                flush=True,
            )


def main(arguments: list[str]) -> int:
    """Make the list and its filter, and print what look-ups in both take."""
    parser = argparse.ArgumentParser(prog="benchmarks.passwords.breach_lookup")
    parser.add_argument("--entries", type=int, default=100_000_000)
    parser.add_argument("--keep", type=Path, help="a folder to keep the list in")
    chosen = parser.parse_args(arguments)
    folder = chosen.keep or Path(tempfile.mkdtemp())
    path, needed = folder / "hashes", 2 * chosen.entries * _LINE_BYTES
    if (free := shutil.disk_usage(folder).free) < needed:
        print(f"{needed / 1e9:.1f} GB are needed, and {free / 1e9:.1f} are free.", file=sys.stderr)
        return 1
    try:
        began = time.perf_counter()
        if not path.exists():
            write_list(path, chosen.entries)
        print(f"list of {chosen.entries:,}: {time.perf_counter() - began:.0f} s", flush=True)
        _report("sorted file", path, SortedFile(path).find, known := _sample(path, _LOOKUPS))
        began, filtered = time.process_time(), folder / "filter"
        build_filter(path, filtered, 0.001, 1, lambda *_: None)
        print(f"filter: {time.process_time() - began:.0f} s of a core", flush=True)
        _report("filter", filtered, BloomFilter(filtered).find, known)
    finally:
        if chosen.keep is None:
            shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
