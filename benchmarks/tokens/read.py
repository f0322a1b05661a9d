"""Token reads: our web process beside a bare endpoint of FastAPI, and beside better-auth."""

from __future__ import annotations

import contextlib
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.measuring.figures import Figure, milliseconds, percentile, spread, table
from benchmarks.measuring.keep_alive import put_load
from benchmarks.measuring.stack import core_seconds
from benchmarks.renewals.database import kinds
from benchmarks.tokens.contenders import (
    BARE,
    BETTER_AUTH,
    BLOCKING,
    OURS,
    Contender,
    has_better_auth,
    start_bare,
    start_better_auth,
    start_ours,
)

_REPEATS: Final = 7
_SECONDS: Final = 2.0
_CALLERS: Final = 16
_IDLE_SECONDS: Final = 4.0
_IDLE_PAUSE_SECONDS: Final = 0.02
_GOALS: Final = {
    BARE: "at least 0.8",
    BLOCKING: "",
    BETTER_AUTH: "at least 2",
}


@dataclass(frozen=True, slots=True)
class Sample:
    """Some seconds of reads: their rate, each one's core time at the server, and the durations."""

    per_second: float
    core_milliseconds: float
    durations: list[float]
    #: The share of one core that the callers needed.
    callers_share: float


Samples = dict[str, list[Sample]]
#: Of each database the contenders' samples, and our durations where one caller asks.
Sampled = dict[str, tuple[Samples, list[float]]]


def measure(repeats: int = _REPEATS, seconds: float = _SECONDS) -> list[Figure]:
    """Read tokens from each contender in turn, on each database that there is, and compare."""
    return list(compare(sample_all(repeats, seconds)))


def sample_all(repeats: int = _REPEATS, seconds: float = _SECONDS) -> Sampled:
    """Return the samples of each database that there is."""
    return {name: sample(opened, repeats, seconds) for name, opened in kinds().items()}


def compare(sampled: Sampled) -> Iterator[Figure]:
    """Compare the contenders on each database."""
    for database, (samples, idle) in sampled.items():
        yield from figures(database, samples, idle)


def sample(
    opened: Callable[[], contextlib.AbstractContextManager[str]],
    repeats: int = _REPEATS,
    seconds: float = _SECONDS,
) -> tuple[Samples, list[float]]:
    """Return each contender's samples under load, and our durations where one caller asks."""
    with contextlib.ExitStack() as parts:
        url = parts.enter_context(opened())
        contenders = {OURS: start_ours(parts, url), **start_bare(parts, url)}
        if has_better_auth():
            contenders[BETTER_AUTH] = start_better_auth(parts)
        samples: Samples = {name: [] for name in contenders}
        for contender in contenders.values():
            _sample(contender, 1.0)
        for _ in range(repeats):
            for name, contender in contenders.items():
                samples[name].append(_sample(contender, seconds))
        ours = contenders[OURS]
        idle = put_load(ours.port, ours.requests, 1, _IDLE_SECONDS, _IDLE_PAUSE_SECONDS)
    return samples, idle.durations


def _sample(contender: Contender, seconds: float) -> Sample:
    busy = core_seconds(contender.process)
    load = put_load(contender.port, contender.requests, _CALLERS, seconds)
    spent = core_seconds(contender.process) - busy
    count = len(load.durations)
    return Sample(
        load.per_second, spent / count * 1000, load.durations, load.core_seconds / load.seconds
    )


def figures(database: str, samples: Samples, idle: Sequence[float]) -> Iterator[Figure]:
    """Compare what each contender does with ours."""
    ours = samples[OURS]
    durations = [taken for one in ours for taken in one.durations]
    yield Figure(
        f"token reads on {database}, one web process, {_CALLERS} callers",
        f"{_rates(ours)}, {milliseconds(durations)}",
        goal="1,500 /s",
    )
    yield Figure(
        f"- one caller, on {database}",
        milliseconds(idle),
        goal="p50 < 4 ms",
    )
    for name, goal in _GOALS.items():
        if name in samples and (database == "SQLite" or name != BETTER_AUTH):
            yield from _compare(database, ours, name, samples[name], goal)


def _compare(
    database: str, ours: Sequence[Sample], name: str, its: Sequence[Sample], goal: str
) -> Iterator[Figure]:
    pairs = list(zip(ours, its, strict=True))
    yield Figure(
        f"- beside {name}, on {database}",
        _rates(ours),
        f"{name}: {_rates(its)}, p50 {_half(its):.1f} ms",
        statistics.median(one.per_second / other.per_second for one, other in pairs),
        goal,
    )
    # A rate depends on the load of the machine and on the callers; this figure much less so.
    yield Figure(
        "- core time of the server for each",
        _costs(ours),
        f"{name}: {_costs(its)}",
        statistics.median(other.core_milliseconds / one.core_milliseconds for one, other in pairs),
        goal,
    )


def _half(samples: Sequence[Sample]) -> float:
    return percentile([taken for one in samples for taken in one.durations], 50) * 1000


def _rates(samples: Sequence[Sample]) -> str:
    return spread([one.per_second for one in samples], ".0f", "/s")


def _costs(samples: Sequence[Sample]) -> str:
    return spread([one.core_milliseconds for one in samples], ".2f", "ms")


def draw_reads(sampled: Sampled, path: Path) -> None:
    """Write the plot of reads a second to a PNG file, a bar for each contender and database."""
    from benchmarks.measuring.plot import draw_bars

    rates = {
        name if name == BETTER_AUTH else f"{name}, {database}": statistics.median(
            one.per_second for one in taken
        )
        for database, (samples, _) in sampled.items()
        for name, taken in samples.items()
        if name != BETTER_AUTH or database == "SQLite"
    }
    title = f"Token reads a second: one process, {_CALLERS} callers"
    draw_bars(rates, path, title, "reads a second")


if __name__ == "__main__":
    print(table(measure(*map(int, sys.argv[1:2]))))
