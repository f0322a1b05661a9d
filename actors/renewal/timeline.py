"""Timeline of renewals: how many fall due in each of the next hours, counted to a bound."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, NamedTuple

from catfeeder.queue.requester import visible_app
from models.db.database import hold_connection
from models.oauth.providers import list_keys
from models.renewal.upcoming import DueCount, count_due

_HOURS: Final = 24
#: More within an hour are not counted: the page must not take long.
MAX_IN_HOUR: Final = 2_000


class Timeline(NamedTuple):
    """What is due already, and what falls due in each hour from now on."""

    overdue: DueCount
    hours: list[DueCount]


def build_timeline(provider: str | None, now: datetime) -> Timeline:
    """Count the renewals of the connections that are visible, of a provider or of all."""
    app = visible_app()
    with hold_connection():
        providers = None if provider is None else list_keys(app, provider)

        def count(since: datetime | None, before: datetime) -> DueCount:
            return count_due(since, before, app=app, providers=providers, most=MAX_IN_HOUR)

        starts = [now + timedelta(hours=hour) for hour in range(_HOURS + 1)]
        hours = [count(starts[hour], starts[hour + 1]) for hour in range(_HOURS)]
        return Timeline(count(None, now), hours)
