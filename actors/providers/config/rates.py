"""How many renewals a provider takes: its rate a minute, and what of it is left for a sweep."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from actors.errors import ProviderUnknown
from actors.providers.config.lookup import merge_metadata, provider_row
from config import current_settings
from models.oauth.provider_health import TAB_PROVIDER_HEALTH, HealthState
from models.oauth.providers import TAB_USER_OAUTH_CONNECTION

_MINUTE_MS: Final = 60_000


@dataclass(frozen=True, slots=True)
class Rate:
    """`burst` requests at once, and one more each `interval`."""

    interval: timedelta
    burst: int


def rate_of(per_minute: int | None) -> Rate | None:
    """Return the rate that never makes more than so many requests in any minute.

    What one sweep may hand over at once comes from the same minute as what flows behind it. So
    the shorter the interval of the sweep, the nearer to the maximum is what is reached.
    """
    if per_minute is None:
        return None
    seconds = min(current_settings().crons.renew_oath_tokens_interval, 30)
    burst = math.ceil(per_minute * seconds / 60)
    return Rate(timedelta(milliseconds=math.ceil(_MINUTE_MS / (per_minute - burst + 1))), burst)


def minimum_gap(provider: str) -> timedelta:
    """Return how long a provider wants to be left alone between two renewals of a connection."""
    try:
        metadata = merge_metadata(provider_row(provider))
    except ProviderUnknown:
        return timedelta()  # The renewal itself will tell.
    return timedelta(seconds=metadata.get("minimum_renewal_gap_seconds", 0))


def allowances(names: Iterable[str], now: datetime) -> dict[str, int]:
    """Return how many renewals each provider takes now, none left out but those that take none.

    A provider whose pause is over takes one: the probe.
    """
    health = TAB_PROVIDER_HEALTH.load_all()
    rates = {row.name: _rate(row) for row in TAB_USER_OAUTH_CONNECTION.list_all()}
    taken = {name: _allowance(health.get(name), rates.get(name), now) for name in names}
    return {name: count for name, count in taken.items() if count}


def _rate(row: TAB_USER_OAUTH_CONNECTION) -> Rate | None:
    return rate_of(merge_metadata(row).get("maximum_renewals_per_minute"))


def _allowance(health: TAB_PROVIDER_HEALTH | None, rate: Rate | None, now: datetime) -> int:
    if health is None:
        return sys.maxsize if rate is None else rate.burst
    if health.is_paused(now):
        return 0
    left = (
        sys.maxsize if rate is None else health.count_free_requests(now, rate.interval, rate.burst)
    )
    return left if health.state == HealthState.CLOSED else min(left, 1)
