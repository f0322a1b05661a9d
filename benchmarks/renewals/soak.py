"""Soak: a million tokens of an hour are kept fresh, with the processes and interval that ship.

`python -m benchmarks.renewals.soak [--connections N] [--seconds S] [--database NAME]`
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from benchmarks.measuring.core_time import server_core_seconds
from benchmarks.measuring.figures import Figure, circumstances, percentile, table
from benchmarks.measuring.plot import draw_soak
from benchmarks.measuring.stack import Stack, new_stack
from benchmarks.renewals.comparison import running_provider
from benchmarks.renewals.database import (
    MARGIN,
    Schedule,
    configure_provider,
    fill,
    kinds,
    number_of,
    open_here,
)
from models.db.database import hold_connection
from models.oauth.connections import TAB_CONNECTIONS

_CONNECTIONS: Final = 1_000_000
_SECONDS: Final = 600
#: A token of an hour is renewed a fifth of its life before its end, so they all come round in this.
_ROUND: Final = timedelta(hours=1) - MARGIN
#: What it takes to store a connection, and to start the service: nothing falls due before that.
_FILL_SECONDS: Final = 0.0003
_START_SECONDS: Final = 20


@dataclass(frozen=True, slots=True)
class Renewal:
    """One renewal: when it began, in seconds of the soak, and the seconds that its token had left.

    `waited` are the seconds since it fell due.
    """

    at: float
    left: float
    waited: float


@dataclass(frozen=True, slots=True)
class Soak:
    """What was renewed, how many tokens ran out before that, and the core time of each renewal."""

    of: str
    seconds: float
    renewals: list[Renewal]
    ended: int
    core_seconds: dict[str, float]

    @property
    def per_second(self) -> float:
        """The mean rate."""
        return len(self.renewals) / self.seconds


def run(
    connections: int = _CONNECTIONS, seconds: float = _SECONDS, kind: str = "PostgreSQL"
) -> Soak:
    """Keep so many tokens fresh for so long."""
    ahead = timedelta(seconds=connections * _FILL_SECONDS + _START_SECONDS)
    with (
        kinds()[kind]() as url,
        running_provider() as provider,
        new_stack() as stack,
        open_here(url, stack.directory.path / "var"),
    ):
        configure_provider(f"{provider}/token")
        schedule = Schedule(datetime.now(UTC) + ahead, _ROUND)
        fill(0, connections, schedule)
        host = provider.partition("//")[2]
        more = {"DATABASE_URL": url, "OAUTH_ALLOWED_PRIVATE_HOSTS": host}
        service = stack.directory.healthy(**stack.environment, **more)
        _sleep_until(schedule.first)
        before = _core_seconds(stack, url)
        _sleep_until(schedule.first + timedelta(seconds=seconds))
        after = _core_seconds(stack, url)
        found = list(_read_renewals(schedule))
        ended = sum(renewal.left <= 0 for renewal in found) + _count_ended()
        service.stop()
    spent = {part: (after[part] - before[part]) / max(len(found), 1) for part in after}
    of = f"{kind}, {connections:,} tokens of an hour"
    return Soak(of, seconds, found, ended, spent)


def _sleep_until(at: datetime) -> None:
    time.sleep(max((at - datetime.now(UTC)).total_seconds(), 0))


def _core_seconds(stack: Stack, url: str) -> dict[str, float]:
    return {"service": stack.core_seconds(), "database": server_core_seconds(url)}


def _read_renewals(schedule: Schedule) -> Iterator[Renewal]:
    rows = TAB_CONNECTIONS
    with hold_connection():
        renewed = rows.select(rows.id, rows.updated_at).where(rows.version > 1)
        for connection_id, updated_at in renewed.tuples().iterator():
            number = number_of(connection_id)
            yield Renewal(
                (updated_at - schedule.first).total_seconds(),
                (schedule.expires_at(number) - updated_at).total_seconds(),
                (updated_at - schedule.renew_at(number)).total_seconds(),
            )


def _count_ended() -> int:
    """Count the tokens that have run out without having been renewed."""
    rows = TAB_CONNECTIONS
    with hold_connection():
        return int(rows.select().where(rows.expires_at <= datetime.now(UTC)).count())


def figures(soak: Soak) -> list[Figure]:
    """Return the figures of a soak."""
    left = [renewal.left for renewal in soak.renewals]
    waited = [renewal.waited for renewal in soak.renewals]
    core = ", ".join(f"{part} {each * 1000:.2f} ms" for part, each in soak.core_seconds.items())
    return [
        Figure(
            f"soak of {soak.seconds:.0f} s at the default interval and processes: {soak.of}",
            f"{len(left):,} renewals, {soak.per_second:.0f} /s, {soak.ended} tokens ran out",
            f"of a core for each: {core}",
            goal="no token older than its end",
        ),
        Figure(
            "- left of a token when it was renewed",
            f"median {percentile(left, 50):.0f} s, least {min(left):.0f} s",
            f"{MARGIN.total_seconds():.0f} s is the margin",
        ),
        Figure(
            "- from when it fell due",
            f"p50 {percentile(waited, 50):.1f} s, p99 {percentile(waited, 99):.1f} s, "
            f"most {max(waited):.1f} s",
            "swept each 30 s",
        ),
    ]


def draw(soak: Soak, path: Path) -> None:
    """Write the plot of what each renewal's token had left."""
    draw_soak([(renewal.at, renewal.left) for renewal in soak.renewals], soak.of, path)


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
