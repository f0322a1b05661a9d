"""Timeline of renewals: how many fall due in each of the next hours, and how many of them fail."""

from __future__ import annotations

from bisect import bisect_left
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final, NamedTuple

from catfeeder.queue.requester import visible_app
from models.db.database import hold_connection
from models.oauth.providers import list_keys
from models.renewal.due_counts import DueCount, DueFilters, count_due, list_failing_times

_HOURS: Final = 24


class Hour(NamedTuple):
    """What falls due within an hour."""

    due: DueCount
    failing: int


class Timeline(NamedTuple):
    """What is due already, and what falls due in each hour from now on."""

    overdue: Hour
    hours: list[Hour]

    @property
    def is_exact(self) -> bool:
        """Whether all of it was counted."""
        return all(hour.due.is_exact for hour in self.hours)


def build_timeline(provider: str | None, now: datetime) -> Timeline:
    """Count the renewals of the connections that are visible, of a provider or of all."""
    app = visible_app()
    ends = [now + timedelta(hours=hour) for hour in range(_HOURS + 1)]
    with hold_connection():
        filters = DueFilters(app, None if provider is None else list_keys(app, provider))
        counts = [
            count_due(filters, since, before)
            for since, before in zip([None, *ends], ends, strict=False)
        ]
        times = list_failing_times(filters, ends[-1])
    until = [0, *(bisect_left(times, end) for end in ends)]
    overdue, *hours = (
        Hour(count, after - before)
        for count, (before, after) in zip(counts, pairwise(until), strict=True)
    )
    return Timeline(overdue, hours)
