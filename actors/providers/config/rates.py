"""GCRA rates: how many renewals a provider accepts a minute, and how many a sweep may begin."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from actors.providers.config.lookup import merge_metadata, provider_row
from actors.providers.errors import ProviderUnknown
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
    """Return the rate that never makes more than `per_minute` requests in any minute.

    The burst of one sweep and the requests behind it share a minute. So the shorter the interval
    of the sweep, the nearer the rate comes to the maximum.
    """
    if per_minute is None:
        return None
    seconds = min(current_settings().crons.renew_oath_tokens_interval, 30)
    burst = math.ceil(per_minute * seconds / 60)
    return Rate(timedelta(milliseconds=math.ceil(_MINUTE_MS / (per_minute - burst + 1))), burst)


def minimum_gap(provider: str) -> timedelta:
    """Return the least time between two renewals of a connection, 0 for an unknown provider."""
    try:
        metadata = merge_metadata(provider_row(provider))
    except ProviderUnknown:
        return timedelta()  # The renewal itself reports it.
    return timedelta(seconds=metadata.get("minimum_renewal_gap_seconds", 0))


def allowances(names: Iterable[str], now: datetime) -> dict[str, int]:
    """Return how many renewals each provider accepts now; those that accept none are left out.

    A provider whose pause has ended accepts one: the probe.
    """
    health = TAB_PROVIDER_HEALTH.load_all()
    rates = {row.name: _build_rate(row) for row in TAB_USER_OAUTH_CONNECTION.list_all()}
    accepted = {name: _build_allowance(health.get(name), rates.get(name), now) for name in names}
    return {name: count for name, count in accepted.items() if count}


def _build_rate(row: TAB_USER_OAUTH_CONNECTION) -> Rate | None:
    return rate_of(merge_metadata(row).get("maximum_renewals_per_minute"))


def _build_allowance(health: TAB_PROVIDER_HEALTH | None, rate: Rate | None, now: datetime) -> int:
    if health is None:
        return sys.maxsize if rate is None else rate.burst
    if health.is_paused(now):
        return 0
    left = (
        sys.maxsize if rate is None else health.count_free_requests(now, rate.interval, rate.burst)
    )
    return left if health.state == HealthState.CLOSED else min(left, 1)
