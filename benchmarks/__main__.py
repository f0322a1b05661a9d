"""`make bench`: measures all figures, prints them as one table, and writes docs/benchmarks/."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from benchmarks import footprint
from benchmarks.console import pages
from benchmarks.jobs import accepting, overload, round_trip, sealed_send, throughput
from benchmarks.measuring.figures import Figure, circumstances, table
from benchmarks.measuring.plot import draw
from benchmarks.renewals import rate, soak, sweep_cost
from benchmarks.tokens import race, read, sign_ins
from config import ROOT

_DIRECTORY: Final = ROOT / "docs" / "benchmarks"
#: Of each file its caption, and what draws it.
Plots = dict[str, tuple[str, Callable[[Path], None]]]
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
seconds have config.toml as it is, and more due at once than one sweep leases. The soak has a
million tokens of an hour, whose ends are spread evenly, as in a service that has run for a while.

A token is read from one web process, with nothing set and the key of an app, at a table of 2,000
connections, each of which is read in turn. Beside it are an endpoint of FastAPI that reads one row
by Peewee and opens one AES-GCM value, under the same options of uvicorn, in a thread of the pool or
in the event loop, and `get-access-token` of better-auth on SQLite with encrypted tokens, in one
process of Node. In the race the provider refuses a refresh token that it has seen; the whole
service runs as it comes. A sign-in lasts from the callback to the answer with the stored
connection, and the service checks its state, seals and records it too; the loop of Authlib redeems
a code, verifies the id_token and inserts a row.

{table}
{plot}"""


def main() -> None:
    """Run every benchmark, the quiet ones first."""
    # A signal that ends this process ends those that it has started, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    plots: Plots = {}
    steps: dict[str, Callable[[], list[Figure]]] = {
        "footprint": footprint.measure,
        "round trip": lambda: _round_trip(plots),
        "race for a token": lambda: _race(plots),
        "token reads": lambda: _token_reads(plots),
        "sign-ins": lambda: _sign_ins(plots),
        "sealed send": sealed_send.measure,
        "accepting": accepting.measure,
        "throughput": throughput.measure,
        "overload": overload.measure,
        "renewal rate": rate.measure,
        "renewal rate at the default interval": rate.measure_default,
        "sweep cost": sweep_cost.measure,
        "soak": lambda: _soak(plots),
        "console pages": pages.measure,
    }
    figures = []
    for name, measure in steps.items():
        print(f"Measuring: {name} …", flush=True)
        figures += measure()
    print(table(figures))
    _write(figures, plots)


def _round_trip(plots: Plots) -> list[Figure]:
    durations = round_trip.sample()
    plots["round-trip.png"] = "Share of answers over time", partial(draw, durations)
    return round_trip.figures(durations)


def _race(plots: Plots) -> list[Figure]:
    races = race.run()
    plots["race.png"] = "Failed reads over time", partial(race.draw_race, races)
    return race.figures(races)


def _token_reads(plots: Plots) -> list[Figure]:
    sampled = read.sample_all()
    plots["token-reads.png"] = "Token reads a second", partial(read.draw_reads, sampled)
    return list(read.compare(sampled))


def _sign_ins(plots: Plots) -> list[Figure]:
    contests = sign_ins.run_all()
    plots["sign-ins.png"] = "Sign-ins a second", partial(sign_ins.draw_sign_ins, contests)
    return list(sign_ins.compare(contests))


def _soak(plots: Plots) -> list[Figure]:
    found = soak.run()
    plots["soak.png"] = "What tokens had left when they were renewed", partial(soak.draw, found)
    return soak.figures(found)


def _write(figures: list[Figure], plots: Plots) -> None:
    _DIRECTORY.mkdir(exist_ok=True)
    shown = ""
    for name, (caption, draw_to) in plots.items() if find_spec("matplotlib") else ():
        draw_to(_DIRECTORY / name)
        shown += f"\n![{caption}]({name})\n"
    page = _PAGE.format(
        date=datetime.now(UTC).date(),
        circumstances=circumstances(),
        table=table(figures),
        plot=shown,
    )
    (_DIRECTORY / "README.md").write_text(page)


if __name__ == "__main__":
    main()
