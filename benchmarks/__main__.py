"""`make bench`: measures all figures, prints them as one table, and writes docs/benchmarks/."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import Final

from benchmarks import footprint
from benchmarks.console import pages
from benchmarks.jobs import accepting, overload, round_trip, sealed_send, throughput
from benchmarks.measuring.figures import Figure, circumstances, table
from benchmarks.measuring.plot import draw
from benchmarks.renewals import rate, sweep_cost
from config import ROOT

_DIRECTORY: Final = ROOT / "docs" / "benchmarks"
_PLOT: Final = "round-trip.png"
_PAGE: Final = """\
# Measured

What `make bench` found on {date}: {circumstances}.

A load above the number of cores means that others used the machine meanwhile: durations are then
longer, and rates lower, than they are on an idle one. Core time (what `/proc` counts as user and
system time) suffers less.

Each ratio is of two things measured in turn in one run, so that whatever else the machine did hit
both; a figure that was taken several times is their median (least to greatest). Round trips are
taken one at a time with pauses between, from the call until the caller has the result, less the
median of bcrypt's own time. Every contender uses the same Valkey and does the same work, a check
against a hash of 4 rounds, in one worker that is set up as its guide says.

The service renews with one oauth process, as it is unless set otherwise, and with one a core, since
Python keeps one process to one core. The bare loop of requests-oauthlib is one process, with one
thread, as it is usually written, and with 16; the goal is held against both. The comparison sweeps
each second, so that no run waits for its first sweep; the figures of the default interval of 30
seconds have config.toml as it is, and more due at once than one sweep leases.

{table}
{plot}"""


def main() -> None:
    """Run every benchmark, the quiet ones first."""
    # A signal that ends this process ends those that it has started, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    durations: round_trip.Durations = {}
    steps: dict[str, Callable[[], list[Figure]]] = {
        "footprint": footprint.measure,
        "round trip": lambda: _round_trip(durations),
        "sealed send": sealed_send.measure,
        "accepting": accepting.measure,
        "throughput": throughput.measure,
        "overload": overload.measure,
        "renewal rate": rate.measure,
        "renewal rate at the default interval": rate.measure_default,
        "sweep cost": sweep_cost.measure,
        "console pages": pages.measure,
    }
    figures = []
    for name, measure in steps.items():
        print(f"Measuring: {name} …", flush=True)
        figures += measure()
    print(table(figures))
    _write(figures, durations)


def _round_trip(durations: round_trip.Durations) -> list[Figure]:
    durations.update(round_trip.sample())
    return round_trip.figures(durations)


def _write(figures: list[Figure], durations: round_trip.Durations) -> None:
    _DIRECTORY.mkdir(exist_ok=True)
    plot = ""
    if find_spec("matplotlib"):
        draw(durations, _DIRECTORY / _PLOT)
        plot = f"\n![Share of answers over time]({_PLOT})\n"
    page = _PAGE.format(
        date=datetime.now(UTC).date(),
        circumstances=circumstances(),
        table=table(figures),
        plot=plot,
    )
    (_DIRECTORY / "README.md").write_text(page)


if __name__ == "__main__":
    main()
