"""Renewals a second through the whole service, beside a bare loop of requests-oauthlib."""

from __future__ import annotations

import contextlib
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import psutil
import requests

from benchmarks.figures import Figure, spread, table
from benchmarks.renewal_database import (
    configure_provider,
    fill,
    kinds,
    let_be_due,
    open_here,
)
from benchmarks.stack import Stack, new_stack, running
from config import ROOT
from tests.ports import free_port
from tests.worker.service_directory import until

_CONNECTIONS: Final = {"PostgreSQL": 100_000, "SQLite": 20_000}
#: What one sweep hands over: enough for some seconds.
_AT_ONCE: Final = 4_000
_REPEATS: Final = 5
_LONGEST_SECONDS: Final = 300
#: A million tokens of an hour.
_NEEDED_PER_SECOND: Final = 278


@dataclass(frozen=True, slots=True)
class Run:
    """So many renewals in so many seconds, and what each took of a core, by who took it."""

    seconds: float
    count: int
    core_seconds: dict[str, float]

    @property
    def per_second(self) -> float:
        """The rate, from the first that the provider saw to the last."""
        return (self.count - 1) / self.seconds


def measure(
    connections: dict[str, int] | None = None, at_once: int = _AT_ONCE, repeats: int = _REPEATS
) -> list[Figure]:
    """Let the service and the bare loop renew in turn, with the same provider."""
    counts = _CONNECTIONS if connections is None else connections
    found: list[Figure] = []
    for kind, database_of in kinds().items():
        if kind in counts:
            with database_of() as url, _provider() as provider:
                runs = _in_turn(url, provider, counts[kind], at_once, repeats)
            found += _figures(f"{kind}, {counts[kind]:,} connections", *runs)
    return found


@contextlib.contextmanager
def _provider() -> Iterator[str]:
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.instant_provider", str(port)]
    with running(command, {"PYTHONPATH": str(ROOT)}):
        url = f"http://127.0.0.1:{port}"
        until(lambda: _is_there(url))
        yield url


def _is_there(url: str) -> bool:
    with contextlib.suppress(requests.ConnectionError):
        return requests.get(url, timeout=5).ok
    return False


def _in_turn(
    url: str, provider: str, connections: int, at_once: int, repeats: int
) -> tuple[list[Run], dict[int, list[Run]]]:
    """Return the service's runs, and the bare loop's by how many threads it has."""
    with new_stack() as stack, open_here(url, stack.directory.path / "var"):
        configure_provider(f"{provider}/token")
        fill(0, connections)
        # Rates are of who works, not of how seldom a sweep looks.
        _replace(stack, "renew_oath_tokens_interval = 30", "renew_oath_tokens_interval = 1")
        more = {"DATABASE_URL": url, "OAUTH_ALLOWED_PRIVATE_HOSTS": provider.partition("//")[2]}
        service = stack.directory.healthy(**stack.environment, **more)
        _renewed(stack, url, provider, connections, at_once // 4)  # What is loaded on first use.
        ours: list[Run] = []
        bare: dict[int, list[Run]] = {1: [], _threads(stack): []}
        for _ in range(repeats):
            ours.append(_renewed(stack, url, provider, connections, at_once))
            for threads, runs in bare.items():
                runs.append(_bare(provider, threads, at_once))
        service.stop()
    return ours, bare


def _replace(stack: Stack, line: str, other: str) -> None:
    conf = stack.directory.path / "config.toml"
    text = conf.read_text()
    if line not in text:
        raise RuntimeError(f"config.toml does not say {line}")
    conf.write_text(text.replace(line, other))


def _threads(stack: Stack) -> int:
    """Return how many threads of the Procfile renew."""
    lines = (stack.directory.path / "Procfile").read_text().splitlines()
    words = next(line for line in lines if line.startswith("oauth:")).split()
    return int(words[words.index("--threads") + 1])


def _renewed(stack: Stack, url: str, provider: str, connections: int, count: int) -> Run:
    """Let so many connections fall due at once, and wait until all of them are renewed."""
    requests.get(f"{provider}/figures", timeout=5)
    before = _core_seconds(stack, url)
    now = datetime.now(UTC)
    numbers = range(0, connections, connections // count)[:count]
    let_be_due(numbers, now - timedelta(seconds=1))
    granted, seconds = _drained(provider, count)
    after = _core_seconds(stack, url)
    spent = {name: (after[name] - before.get(name, 0)) / granted for name in after}
    return Run(seconds, granted, spent)


def _drained(provider: str, count: int) -> tuple[int, float]:
    """Return how many were granted and over which time, once it is as many as were due."""
    granted = 0
    deadline = time.monotonic() + _LONGEST_SECONDS
    while granted < count:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{granted} of {count} were renewed")
        time.sleep(0.25)
        told = requests.get(f"{provider}/figures?keep", timeout=5).json()
        granted, seconds = int(told[0]), float(told[1])
    time.sleep(0.5)  # What the provider has granted is stored a moment later.
    return granted, seconds


def _core_seconds(stack: Stack, url: str) -> dict[str, float]:
    """Return what the service's processes and the database's have taken of a core so far."""
    spent = {"service": stack.directory.processes(), "database": _server_at(url)}
    return {who: sum(map(_core_seconds_of, processes)) for who, processes in spent.items()}


def _server_at(url: str) -> list[psutil.Process]:
    """Return the processes of the PostgreSQL whose folder the URL names; none of SQLite's."""
    folder = url.partition("?host=")[2]
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if folder and process.name() == "postgres" and folder in process.cmdline():
                return [process, *process.children(recursive=True)]
    return []


def _core_seconds_of(process: psutil.Process) -> float:
    with contextlib.suppress(psutil.Error):
        return sum(process.cpu_times()[:2])
    return 0.0


def _bare(provider: str, threads: int, count: int) -> Run:
    command = [sys.executable, "-m", "benchmarks.bare_renewals", f"{provider}/token"]
    done = subprocess.run(
        [*command, str(threads), str(count)], cwd=ROOT, check=True, capture_output=True, text=True
    )
    seconds, core_seconds = json.loads(done.stdout)
    return Run(seconds, count, {"bare loop": core_seconds / count})


def _figures(of: str, ours: list[Run], bare: dict[int, list[Run]]) -> Iterator[Figure]:
    """Tell the rate beside a plain loop's, and beside one of as many threads as the service has."""
    what = f"renewals through the whole service: {of}"
    for threads, runs in bare.items():
        yield Figure(
            what,
            spread([run.per_second for run in ours], ".0f", "/s"),
            f"{_loop(threads)}: {spread([run.per_second for run in runs], '.0f', '/s')}",
            statistics.median(
                one.per_second / its.per_second for one, its in zip(ours, runs, strict=True)
            ),
            f"at least 0.8, and {_NEEDED_PER_SECOND} /s",
        )
        what = "- the same, beside a loop of as many threads"
    service, database = (_milliseconds(ours, who) for who in ("service", "database"))
    measured = f"service {service:.2f} ms"
    measured += f", database {database:.2f} ms" if database else ""
    its = {threads: _milliseconds(runs, "bare loop") for threads, runs in bare.items()}
    beside = ", ".join(f"{_loop(threads)}: {core:.2f} ms" for threads, core in its.items())
    yield Figure("- of a core for each", measured, beside, (service + database) / its[1])


def _loop(threads: int) -> str:
    return f"bare requests-oauthlib, {threads} thread{'s' if threads > 1 else ''}"


def _milliseconds(runs: list[Run], who: str) -> float:
    return statistics.median(run.core_seconds[who] for run in runs) * 1000


def main() -> None:
    """Measure with as many connections in PostgreSQL as the command line says."""
    more: dict[str, Any] = {}
    if len(sys.argv) > 1:
        more["connections"] = {"PostgreSQL": int(sys.argv[1])}
    print(table(measure(**more)))


if __name__ == "__main__":
    main()
