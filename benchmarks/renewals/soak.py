"""Soak: a million tokens of an hour are kept fresh, with the processes and interval that ship.

`python -m benchmarks.renewals.soak [--connections N] [--seconds S] [--database NAME]`
"""

from __future__ import annotations

import argparse
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from benchmarks.measuring.core_time import server_core_seconds
from benchmarks.measuring.figures import circumstances, table
from benchmarks.measuring.plot import draw_soak
from benchmarks.measuring.provider import running_provider
from benchmarks.measuring.stack import Stack, new_stack
from benchmarks.renewals.comparison import INSTANT_PROVIDER
from benchmarks.renewals.database import (
    MARGIN,
    Schedule,
    configure_provider,
    fill,
    kinds,
    number_of,
    open_here,
)
from benchmarks.renewals.soak_figures import Soak, figures, find_backlog
from models.db.database import hold_connection
from models.oauth.connections import TAB_CONNECTIONS

_CONNECTIONS: Final = 1_000_000
_SECONDS: Final = 600
#: A token of an hour is renewed a fifth of its life before its end, so they all come round in this.
_ROUND: Final = timedelta(hours=1) - MARGIN
#: Stored first, and due after the soak: they show how long this machine takes to store the others.
_PROBES: Final = 10_000
#: Indexes grow while the others are stored.
_SLOWER: Final = 1.5
_START_SECONDS: Final = 20


def run(
    connections: int = _CONNECTIONS, seconds: float = _SECONDS, kind: str = "PostgreSQL"
) -> Soak:
    """Keep so many tokens fresh for so long."""
    with (
        kinds()[kind]() as url,
        running_provider(INSTANT_PROVIDER) as provider,
        new_stack() as stack,
        open_here(url, stack.directory.path / "var"),
    ):
        configure_provider(f"{provider}/token")
        schedule = _fill(connections)
        host = provider.partition("//")[2]
        more = {"DATABASE_URL": url, "OAUTH_ALLOWED_PRIVATE_HOSTS": host}
        service = stack.directory.healthy(**stack.environment, **more)
        late = max((datetime.now(UTC) - schedule.first).total_seconds(), 0)
        _sleep_until(schedule.first)
        before = _core_seconds(stack, url)
        end = schedule.first + timedelta(seconds=seconds)
        _sleep_until(end)
        after = _core_seconds(stack, url)
        times = _read_renewal_times(end)
        service.stop()
    spent = {part: (after[part] - before[part]) / max(len(times), 1) for part in after}
    of = f"{kind}, {connections:,} tokens of an hour"
    renewals, backlog = find_backlog(range(connections), schedule, times, end)
    return Soak(of, seconds, late, renewals, backlog, spent)


def _fill(connections: int) -> Schedule:
    """Store the connections; return when they fall due, the first soon after the last is stored."""
    began = time.monotonic()
    fill(connections, connections + _PROBES, Schedule(datetime.now(UTC) + _ROUND, _ROUND))
    each = (time.monotonic() - began) / _PROBES
    ahead = timedelta(seconds=connections * each * _SLOWER + _START_SECONDS)
    schedule = Schedule(datetime.now(UTC) + ahead, _ROUND)
    fill(0, connections, schedule)
    return schedule


def _sleep_until(at: datetime) -> None:
    time.sleep(max((at - datetime.now(UTC)).total_seconds(), 0))


def _core_seconds(stack: Stack, url: str) -> dict[str, float]:
    return {"service": stack.core_seconds(), "database": server_core_seconds(url)}


def _read_renewal_times(end: datetime) -> dict[int, datetime]:
    """Return, by the numbers of the connections, when each began that was stored by the end."""
    rows = TAB_CONNECTIONS
    renewed = rows.select(rows.id, rows.updated_at).where(rows.version > 1)
    with hold_connection():
        found = [(number_of(row[0]), row[1]) for row in renewed.tuples().iterator()]
    return {number: at for number, at in found if at <= end}


def draw(soak: Soak, path: Path) -> None:
    """Write the plot of what each token had left when it was renewed, or at the end."""
    tokens = (*soak.renewals, *soak.backlog)
    draw_soak([(one.at, one.left) for one in tokens], soak.of, path)


def main() -> None:
    """Measure as the command line says."""
    parser = argparse.ArgumentParser(description="Keep tokens of an hour fresh for a while.")
    parser.add_argument("--connections", type=int, default=_CONNECTIONS)
    parser.add_argument("--seconds", type=float, default=_SECONDS)
    parser.add_argument("--database", choices=sorted(kinds()), default="PostgreSQL")
    parser.add_argument("--plot", type=Path, help="write the plot to this PNG file")
    given = parser.parse_args()
    soak = run(given.connections, given.seconds, given.database)
    print(table(figures(soak)))
    print(circumstances())
    if given.plot:
        draw(soak, given.plot)


if __name__ == "__main__":
    main()
