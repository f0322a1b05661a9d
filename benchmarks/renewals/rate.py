"""Renewals a second through the whole service, beside a bare loop of requests-oauthlib.

The comparison sweeps each second, so that no run waits for its first sweep; `SWEEP_SECONDS` stands
in the name of its figures. `measure_default` measures at the interval that is the default, with
more connections than one sweep leases and without that first wait.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import requests

from benchmarks.measuring.core_time import server_core_seconds
from benchmarks.measuring.figures import Figure, spread, table
from benchmarks.measuring.stack import Stack, new_stack, running
from benchmarks.renewals.database import (
    configure_provider,
    fill,
    kinds,
    make_due,
    open_here,
)
from config import ROOT
from tests.ports import free_port
from tests.waiting import wait_until

_CONNECTIONS: Final = {"PostgreSQL": 100_000, "SQLite": 20_000}
#: The connections of one sweep: enough for some seconds.
_AT_ONCE: Final = 4_000
_REPEATS: Final = 5
#: The interval of the sweeps in the comparison, in seconds; the default is 30.
SWEEP_SECONDS: Final = 1
#: Three sweeps' worth, which the default interval would have spread over a minute and a half.
_AT_DEFAULT: Final = 30_000
#: The loop beside it: as it is usually written, and with more threads than help it.
_BARE_THREADS: Final = (1, 16)
_LONGEST_SECONDS: Final = 300
#: A million tokens of an hour.
_NEEDED_PER_SECOND: Final = 278


@dataclass(frozen=True, slots=True)
class Run:
    """Renewals, the seconds that they took, and the core time of each by its process."""

    seconds: float
    count: int
    core_seconds: dict[str, float]

    @property
    def per_second(self) -> float:
        """The rate, from the first that the provider saw to the last."""
        return (self.count - 1) / self.seconds


@dataclass(frozen=True, slots=True)
class Comparison:
    """The service's runs with so many oauth processes, and the bare loop's by its threads."""

    processes: int
    ours: list[Run]
    bare: dict[int, list[Run]]


def measure(
    connections: dict[str, int] | None = None, at_once: int = _AT_ONCE, repeats: int = _REPEATS
) -> list[Figure]:
    """Measure the service and the bare loop in turn, with the same provider."""
    counts = _CONNECTIONS if connections is None else connections
    found: list[Figure] = []
    for kind, database_of in kinds().items():
        if kind in counts:
            with database_of() as url, _provider() as provider:
                compared = list(_in_turn(url, provider, counts[kind], at_once, repeats))
            of = f"{kind}, {counts[kind]:,} connections"
            of += f", swept each {SWEEP_SECONDS} s"
            found += [figure for each in compared for figure in _figures(of, each)]
    return found


def measure_default(connections: int = _AT_DEFAULT, at_once: int = _AT_DEFAULT) -> list[Figure]:
    """Measure the service on PostgreSQL with config.toml as it is, its interval included."""
    with kinds()["PostgreSQL"]() as url, _provider() as provider:
        compared = list(_in_turn(url, provider, connections, at_once, 1, interval=None))
    of = f"PostgreSQL, {at_once:,} due at once, swept at the default interval"
    return [figure for each in compared for figure in _figures(of, each)]


@contextlib.contextmanager
def _provider() -> Iterator[str]:
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.renewals.instant_provider", str(port)]
    with running(command, {"PYTHONPATH": str(ROOT)}):
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: _is_there(url))
        yield url


def _is_there(url: str) -> bool:
    with contextlib.suppress(requests.ConnectionError):
        return requests.get(url, timeout=5).ok
    return False


def _in_turn(
    url: str,
    provider: str,
    connections: int,
    at_once: int,
    repeats: int,
    *,
    interval: int | None = SWEEP_SECONDS,
) -> Iterator[Comparison]:
    """Compare them with one oauth process, as it is unless set otherwise, and with one a core.

    Sweeps are `interval` seconds apart; None leaves config.toml as it is.
    """
    with new_stack() as stack, open_here(url, stack.directory.path / "var"):
        configure_provider(f"{provider}/token")
        fill(0, connections)
        if interval is not None:
            _set(stack, "renew_oath_tokens_interval", interval)
        more = {"DATABASE_URL": url, "OAUTH_ALLOWED_PRIVATE_HOSTS": provider.partition("//")[2]}
        for processes in sorted({1, os.cpu_count() or 1}):
            _set(stack, "oauth", processes)
            service = stack.directory.healthy(**stack.environment, **more)
            _measure_service(
                stack, url, provider, connections, at_once // 4
            )  # What is loaded at first.
            compared = Comparison(processes, [], {threads: [] for threads in _BARE_THREADS})
            for _ in range(repeats):
                compared.ours.append(_measure_service(stack, url, provider, connections, at_once))
                for threads, runs in compared.bare.items():
                    runs.append(_measure_loop(provider, threads, at_once))
            service.stop()
            yield compared


def _set(stack: Stack, setting: str, value: int) -> None:
    conf = stack.directory.path / "config.toml"
    line = re.compile(rf"^{setting} = \d+$", re.MULTILINE)
    text, count = line.subn(f"{setting} = {value}", conf.read_text())
    if count != 1:
        raise RuntimeError(f"config.toml does not set {setting}")
    conf.write_text(text)


def _measure_service(stack: Stack, url: str, provider: str, connections: int, count: int) -> Run:
    """Make `count` connections due at once, and wait until all of them are renewed."""
    requests.get(f"{provider}/figures", timeout=5)
    before = _core_seconds(stack, url)
    now = datetime.now(UTC)
    numbers = range(0, connections, connections // count)[:count]
    make_due(numbers, now - timedelta(seconds=1))
    granted, seconds = _await_grants(provider, count)
    after = _core_seconds(stack, url)
    return Run(seconds, granted, {part: (after[part] - before[part]) / granted for part in after})


def _core_seconds(stack: Stack, url: str) -> dict[str, float]:
    return {"service": stack.core_seconds(), "database": server_core_seconds(url)}


def _await_grants(provider: str, count: int) -> tuple[int, float]:
    """Return how many were granted and over which time, once it is as many as were due."""
    granted = 0
    deadline = time.monotonic() + _LONGEST_SECONDS
    while granted < count:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{granted} of {count} were renewed")
        time.sleep(0.25)
        counts = requests.get(f"{provider}/figures?keep", timeout=5).json()
        granted, seconds = int(counts[0]), float(counts[1])
    time.sleep(0.5)  # What the provider has granted is stored a moment later.
    return granted, seconds


def _measure_loop(provider: str, threads: int, count: int) -> Run:
    command = [sys.executable, "-m", "benchmarks.renewals.bare_loop", f"{provider}/token"]
    done = subprocess.run(
        [*command, str(threads), str(count)], cwd=ROOT, check=True, capture_output=True, text=True
    )
    seconds, core_seconds = json.loads(done.stdout)
    return Run(seconds, count, {"bare loop": core_seconds / count})


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
