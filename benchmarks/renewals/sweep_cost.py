"""Cost of a sweep, as the connections that are not due grow in number."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

# models.db.drivers keeps psycopg out of a process that loads the tables before it.
import psycopg  # noqa: F401

from actors.renewal.sweep import sweep
from benchmarks.measuring.figures import Figure, spread, table
from benchmarks.renewals.database import configure_provider, fill, kinds, make_due, open_here

_SIZES: Final = (10_000, 100_000, 1_000_000)
#: Of the greater number two share a page of SQLite, which is written as a whole, at the smallest
#: size alone; of the smaller one each lies in a page of its own at every size.
_DUE: Final = (2_000, 1_000)
_REPEATS: Final = 7


def measure(
    sizes: Sequence[int] = _SIZES, due: Sequence[int] = _DUE, repeats: int = _REPEATS
) -> list[Figure]:
    """Measure sweeps of the same numbers of due connections among ever more others."""
    found = []
    for kind, database_of in kinds().items():
        with (
            tempfile.TemporaryDirectory(prefix="cf-") as var_dir,
            database_of() as url,
            open_here(url, Path(var_dir)),
        ):
            configure_provider("https://provider.example/token")
            found += _measure_growth(kind, sizes, due, repeats)
    return found


def _measure_growth(
    kind: str, sizes: Sequence[int], due: Sequence[int], repeats: int
) -> list[Figure]:
    found: list[Figure] = []
    smallest: dict[int, float] = {}
    filled = 0
    for size in sizes:
        fill(filled, size)
        filled = size
        for count in due:
            seconds = [_seconds_of_a_sweep(size, count) for _ in range(repeats)]
            what = f"sweep of {count:,} due among {size:,}: {kind}"
            found.append(_figure(what, seconds, count, smallest.get(count)))
            smallest.setdefault(count, statistics.median(seconds))
    return found


def _seconds_of_a_sweep(size: int, due: int) -> float:
    now = datetime.now(UTC)
    numbers = range(0, size, size // due)[:due]
    make_due(numbers, now - timedelta(seconds=1))
    began = time.perf_counter()
    claimed = sweep(now, lambda _leases: None)
    taken = time.perf_counter() - began
    if claimed != due:
        raise RuntimeError(f"{claimed} connections were claimed, and not {due}")
    make_due(numbers, now + timedelta(hours=1))
    return taken


def _figure(what: str, seconds: list[float], due: int, smallest: float | None) -> Figure:
    middle = statistics.median(seconds)
    return Figure(
        what,
        spread([one * 1000 for one in seconds], ".0f", "ms"),
        f"{middle / due * 1e6:.0f} µs for each that is claimed",
        None if smallest is None else middle / smallest,
        "" if smallest is None else "does not grow",
    )


if __name__ == "__main__":
    print(table(measure()))
