"""`make bench`: measures all figures, or the steps named, and writes docs/benchmarks/."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from functools import partial
from typing import Final

from benchmarks import footprint
from benchmarks.console import pages
from benchmarks.jobs import accepting, overload, round_trip, sealed_send, throughput
from benchmarks.measuring.figures import Figure, table
from benchmarks.measuring.plot import draw
from benchmarks.passwords import breach_lookup
from benchmarks.renewals import rate, soak, soak_figures, sweep_cost
from benchmarks.report import Measured, Plot, record
from benchmarks.tokens import race, read, sign_ins


def main(wanted: list[str]) -> None:
    """Run the steps named, or all; what is measured in quiet comes first."""
    # A signal that ends this process ends those that it has started, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    if unknown := [step for step in wanted if step not in _STEPS]:
        sys.exit(f"There is no step {unknown[0]}: there are {', '.join(_STEPS)}.")
    for step in wanted or _STEPS:
        print(f"Measuring: {step} …", flush=True)
        measured = _STEPS[step]()
        print(table(measured.figures), flush=True)
        record(step, measured, list(_STEPS))


def _plain(measure: Callable[[], list[Figure]]) -> Callable[[], Measured]:
    return lambda: Measured(measure())


def _round_trip() -> Measured:
    durations = round_trip.sample()
    plot = Plot("round-trip.png", "Share of answers over time", partial(draw, durations))
    return Measured(round_trip.figures(durations), plot)


def _race() -> Measured:
    races = race.run()
    plot = Plot("race.png", "Failed reads over time", partial(race.draw_race, races))
    return Measured(race.figures(races), plot)


def _token_reads() -> Measured:
    sampled = read.sample_all()
    plot = Plot("token-reads.png", "Token reads a second", partial(read.draw_reads, sampled))
    return Measured(list(read.compare(sampled)), plot)


def _sign_ins() -> Measured:
    contests = sign_ins.run_all()
    plot = Plot("sign-ins.png", "Sign-ins a second", partial(sign_ins.draw_sign_ins, contests))
    return Measured(list(sign_ins.compare(contests)), plot)


def _soak() -> Measured:
    found = soak.run()
    caption = "What tokens had left when they were renewed"
    return Measured(
        soak_figures.figures(found), Plot("soak.png", caption, partial(soak.draw, found))
    )


_STEPS: Final[dict[str, Callable[[], Measured]]] = {
    "footprint": _plain(footprint.measure),
    "round-trip": _round_trip,
    "race": _race,
    "token-reads": _token_reads,
    "sign-ins": _sign_ins,
    "sealed-send": _plain(sealed_send.measure),
    "accepting": _plain(accepting.measure),
    "throughput": _plain(throughput.measure),
    "breach-lookup": _plain(breach_lookup.measure),
    "overload": _plain(overload.measure),
    "renewals": _plain(rate.measure),
    "renewals-at-the-default-interval": _plain(rate.measure_default),
    "sweep-cost": _plain(sweep_cost.measure),
    "soak": _soak,
    "console-pages": _plain(pages.measure),
}

if __name__ == "__main__":
    main(sys.argv[1:])
