"""Comparison of renewals: the service and a bare loop take turns with the same provider."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import requests

from benchmarks.measuring.core_time import server_core_seconds
from benchmarks.measuring.stack import Stack, new_stack
from benchmarks.renewals.database import configure_provider, fill, make_due, open_here
from config import ROOT

#: The loop beside it: as it is usually written, and with more threads than help it.
_BARE_THREADS: Final = (1, 16)
_LONGEST_SECONDS: Final = 300
#: Grants at once.
INSTANT_PROVIDER: Final = "benchmarks.renewals.instant_provider"


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


@dataclass(frozen=True, slots=True)
class Contest:
    """What is measured: where, among how many connections, and how many renewals how often."""

    database_url: str
    provider_url: str
    connections: int
    at_once: int
    repeats: int
    #: The interval of the sweeps; None leaves config.toml as it is.
    sweep_seconds: int | None = None


def compare(contest: Contest) -> Iterator[Comparison]:
    """Compare them with one oauth process, as it is unless set otherwise, and with one a core."""
    with (
        new_stack() as stack,
        open_here(contest.database_url, stack.directory.path / "var"),
    ):
        configure_provider(f"{contest.provider_url}/token")
        fill(0, contest.connections)
        if contest.sweep_seconds is not None:
            _set(stack, "renew_oath_tokens_interval", contest.sweep_seconds)
        for processes in sorted({1, os.cpu_count() or 1}):
            yield _compare_with(processes, stack, contest)


def _compare_with(processes: int, stack: Stack, contest: Contest) -> Comparison:
    _set(stack, "oauth", processes)
    provider_host = contest.provider_url.partition("//")[2]
    more = {"DATABASE_URL": contest.database_url, "OAUTH_ALLOWED_PRIVATE_HOSTS": provider_host}
    service = stack.directory.healthy(**stack.environment, **more)
    # The first run loads what is loaded once.
    _measure_service(stack, contest, contest.at_once // 4)
    compared = Comparison(processes, [], {threads: [] for threads in _BARE_THREADS})
    for _ in range(contest.repeats):
        compared.ours.append(_measure_service(stack, contest, contest.at_once))
        for threads, runs in compared.bare.items():
            runs.append(_measure_loop(contest.provider_url, threads, contest.at_once))
    service.stop()
    return compared


def _set(stack: Stack, setting: str, value: int) -> None:
    conf = stack.directory.path / "config.toml"
    line = re.compile(rf"^{setting} = \d+$", re.MULTILINE)
    text, count = line.subn(f"{setting} = {value}", conf.read_text())
    if count != 1:
        raise RuntimeError(f"config.toml does not set {setting}")
    conf.write_text(text)


def _measure_service(stack: Stack, contest: Contest, count: int) -> Run:
    """Make `count` connections due at once, and wait until all of them are renewed."""
    requests.get(f"{contest.provider_url}/figures", timeout=5)
    before = _core_seconds(stack, contest.database_url)
    now = datetime.now(UTC)
    numbers = range(0, contest.connections, contest.connections // count)[:count]
    make_due(numbers, now - timedelta(seconds=1))
    granted, seconds = _await_grants(contest.provider_url, count)
    after = _core_seconds(stack, contest.database_url)
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
