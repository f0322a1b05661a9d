"""Renewals a second through the whole service, beside a bare loop of requests-oauthlib.

The comparison sweeps each second, so that no run waits for its first sweep; `SWEEP_SECONDS` stands
in the name of its figures. `measure_default` measures at the interval that is the default, with
more connections than one sweep leases and without that first wait.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Iterator
from typing import Any, Final

from benchmarks.measuring.figures import Figure, spread, table
from benchmarks.measuring.provider import running_provider
from benchmarks.renewals.comparison import INSTANT_PROVIDER, Comparison, Contest, Run, compare
from benchmarks.renewals.database import kinds

_CONNECTIONS: Final = {"PostgreSQL": 100_000, "SQLite": 20_000}
#: The connections of one sweep: enough for some seconds.
_AT_ONCE: Final = 4_000
_REPEATS: Final = 5
#: The interval of the sweeps in the comparison, in seconds; the default is 30.
SWEEP_SECONDS: Final = 1
#: Three sweeps' worth, which the default interval would have spread over a minute and a half.
_AT_DEFAULT: Final = 30_000
#: A million tokens of an hour.
_NEEDED_PER_SECOND: Final = 278


def measure(
    connections: dict[str, int] | None = None, at_once: int = _AT_ONCE, repeats: int = _REPEATS
) -> list[Figure]:
    """Measure the service and the bare loop in turn, with the same provider."""
    counts = _CONNECTIONS if connections is None else connections
    found: list[Figure] = []
    for kind, database_of in kinds().items():
        if kind in counts:
            with database_of() as url, running_provider(INSTANT_PROVIDER) as provider:
                contest = Contest(url, provider, counts[kind], at_once, repeats, SWEEP_SECONDS)
                compared = list(compare(contest))
            of = f"{kind}, {counts[kind]:,} connections"
            of += f", swept each {SWEEP_SECONDS} s"
            found += [figure for each in compared for figure in _figures(of, each)]
    return found


def measure_default(connections: int = _AT_DEFAULT, at_once: int = _AT_DEFAULT) -> list[Figure]:
    """Measure the service on PostgreSQL with config.toml as it is, its interval included."""
    with kinds()["PostgreSQL"]() as url, running_provider(INSTANT_PROVIDER) as provider:
        compared = list(compare(Contest(url, provider, connections, at_once, repeats=1)))
    of = f"PostgreSQL, {at_once:,} due at once, swept at the default interval"
    return [figure for each in compared for figure in _figures(of, each)]


def _figures(of: str, compared: Comparison) -> Iterator[Figure]:
    """Yield the rate beside that of each loop, and the core time of each renewal."""
    ours = compared.ours
    processes = f"{compared.processes} oauth process{'es' if compared.processes > 1 else ''}"
    what = f"renewals through the whole service: {of}, {processes}"
    for threads, runs in compared.bare.items():
        yield Figure(
            what,
            spread([run.per_second for run in ours], ".0f", "/s"),
            f"{_loop(threads)}: {spread([run.per_second for run in runs], '.0f', '/s')}",
            statistics.median(
                one.per_second / its.per_second for one, its in zip(ours, runs, strict=True)
            ),
            f"at least 0.8, and {_NEEDED_PER_SECOND} /s",
        )
        what = "- the same, beside a loop of more threads"
    service, database = (_milliseconds(ours, part) for part in ("service", "database"))
    measured = f"service {service:.2f} ms"
    measured += f", database {database:.2f} ms" if database else ""
    its = {threads: _milliseconds(runs, "bare loop") for threads, runs in compared.bare.items()}
    beside = ", ".join(f"{_loop(threads)}: {core:.2f} ms" for threads, core in its.items())
    yield Figure("- of a core for each", measured, beside, (service + database) / its[1])


def _loop(threads: int) -> str:
    return f"bare requests-oauthlib, {threads} thread{'s' if threads > 1 else ''}"


def _milliseconds(runs: list[Run], part: str) -> float:
    return statistics.median(run.core_seconds[part] for run in runs) * 1000


def main() -> None:
    """Measure with as many connections in PostgreSQL as the command line says."""
    more: dict[str, Any] = {}
    if len(sys.argv) > 1:
        more["connections"] = {"PostgreSQL": int(sys.argv[1])}
    print(table([*measure(**more), *measure_default()]))


if __name__ == "__main__":
    main()
