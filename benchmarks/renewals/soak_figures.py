"""Figures of a soak: what was renewed, how late, and what was left behind at the end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from benchmarks.measuring.figures import Figure, percentile
from benchmarks.renewals.database import MARGIN, Schedule

#: As config.toml ships it.
_INTERVAL_SECONDS: Final = 30


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
    """What was renewed, what was due at the end and was not, and the core time of each renewal.

    The service was up `late` seconds after the first token fell due.
    """

    of: str
    seconds: float
    late: float
    renewals: list[Renewal]
    backlog: list[Renewal]
    core_seconds: dict[str, float]

    @property
    def due(self) -> int:
        """How many tokens fell due."""
        return len(self.renewals) + len(self.backlog)

    @property
    def ended(self) -> int:
        """How many tokens ran out."""
        return sum(one.left <= 0 for one in (*self.renewals, *self.backlog))


def find_backlog(
    numbers: Iterable[int], schedule: Schedule, times: Mapping[int, datetime], end: datetime
) -> tuple[list[Renewal], list[Renewal]]:
    """Return the renewals, and of each token that is left behind what would be one at the end."""
    renewals, backlog = [], []
    for number in numbers:
        if number in times:
            renewals.append(_build_renewal(number, schedule, times[number]))
        elif schedule.renew_at(number) <= end:
            backlog.append(_build_renewal(number, schedule, end))
    return renewals, backlog


def _build_renewal(number: int, schedule: Schedule, at: datetime) -> Renewal:
    return Renewal(
        (at - schedule.first).total_seconds(),
        (schedule.expires_at(number) - at).total_seconds(),
        (at - schedule.renew_at(number)).total_seconds(),
    )


def figures(soak: Soak) -> list[Figure]:
    """Return the figures of a soak; a token that is left behind counts in each."""
    core = ", ".join(f"{part} {each * 1000:.2f} ms" for part, each in soak.core_seconds.items())
    late = f", service up {soak.late:.0f} s late" if soak.late else ""
    return [
        Figure(
            f"soak of {soak.seconds:.0f} s at the default interval and processes: {soak.of}{late}",
            f"{len(soak.renewals):,} renewals, {len(soak.renewals) / soak.seconds:.0f} /s, "
            f"{soak.ended} tokens ran out",
            f"{soak.due:,} fell due, {soak.due / soak.seconds:.0f} /s; of a core for each: {core}",
            len(soak.renewals) / max(soak.due, 1),
            goal="no token older than its end",
        ),
        _describe_backlog(soak),
        *_describe_waits([*soak.renewals, *soak.backlog]),
    ]


def _describe_backlog(soak: Soak) -> Figure:
    """Tell what is left behind: no token runs out in a soak that is shorter than the margin."""
    left = [one.left for one in soak.backlog]
    oldest = f"the oldest has {min(left):.0f} s left" if left else "none is due"
    swept = soak.due / soak.seconds * _INTERVAL_SECONDS
    return Figure(
        "- due at the end, and not renewed",
        f"{len(left):,}, {oldest}",
        f"{swept:,.0f} fall due from sweep to sweep",
        goal="what two sweeps find, at most",
    )


def _describe_waits(tokens: Sequence[Renewal]) -> list[Figure]:
    if not tokens:
        return []
    left = [one.left for one in tokens]
    waited = [one.waited for one in tokens]
    return [
        Figure(
            "- left of a token when it was renewed, or at the end",
            f"median {percentile(left, 50):.0f} s, least {min(left):.0f} s",
            f"{MARGIN.total_seconds():.0f} s is the margin",
        ),
        Figure(
            "- from when it fell due",
            f"p50 {percentile(waited, 50):.1f} s, p99 {percentile(waited, 99):.1f} s, "
            f"most {max(waited):.1f} s",
            f"swept each {_INTERVAL_SECONDS} s",
        ),
    ]
