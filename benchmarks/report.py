"""Report of the benchmarks: docs/benchmarks/, a table for each step, the last run of each kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from benchmarks.measuring.figures import Figure, circumstances, table
from config import ROOT

_DIRECTORY: Final = ROOT / "docs" / "benchmarks"
_FIGURES: Final = _DIRECTORY / "figures.json"
_INTRODUCTION: Final = """\
# Measured

What `make bench` found. Each table says when and where it was measured, since
`make bench STEPS="race soak"` measures those anew and keeps the others.

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
"""


@dataclass(frozen=True, slots=True)
class Plot:
    """A picture of a step: the file's name, its caption, and what draws it to a path."""

    name: str
    caption: str
    draw: Callable[[Path], object]


@dataclass(frozen=True, slots=True)
class Measured:
    """What one step found, with its picture where it has one."""

    figures: list[Figure]
    plot: Plot | None = None


def record(step: str, measured: Measured, order: list[str]) -> None:
    """Keep what a step found, draw its picture, and write the page anew; `order` is the page's."""
    _DIRECTORY.mkdir(exist_ok=True)
    kept: dict[str, Any] = json.loads(_FIGURES.read_text()) if _FIGURES.exists() else {}
    kept[step] = {
        "measured": f"{datetime.now(UTC).date()}, {circumstances()}",
        "figures": [asdict(figure) for figure in measured.figures],
        "plot": _draw(measured.plot),
    }
    kept = {name: kept[name] for name in order if name in kept}
    _FIGURES.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
    sections = [_section(name, found) for name, found in kept.items()]
    (_DIRECTORY / "README.md").write_text("\n".join([_INTRODUCTION, *sections]))


def _draw(plot: Plot | None) -> dict[str, str] | None:
    """Return file and caption; without matplotlib there is no picture."""
    if plot is None or not find_spec("matplotlib"):
        return None
    plot.draw(_DIRECTORY / plot.name)
    return {"name": plot.name, "caption": plot.caption}


def _section(step: str, found: dict[str, Any]) -> str:
    shown = table(Figure(**figure) for figure in found["figures"])
    plot = found["plot"]
    picture = f"\n![{plot['caption']}]({plot['name']})\n" if plot else ""
    return f"## {step.replace('-', ' ').capitalize()}\n\n{found['measured']}.\n\n{shown}\n{picture}"
