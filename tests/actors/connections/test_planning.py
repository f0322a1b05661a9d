"""Tests of the plan of a renewal: early enough, apart from others, and late where that is safe."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.connections.planning import plan_renewal

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
_LIFETIMES = st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=3650))
_PASTS = st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=3650))


def margin_of(lifetime: timedelta, account: str = "google:1", **options: Any) -> timedelta:
    renew_at = plan_renewal(NOW + lifetime, account, NOW, **options)
    assert renew_at is not None
    return NOW + lifetime - renew_at


@pytest.mark.parametrize(
    ("lifetime", "options", "margin"),
    [
        # A fifth of the lifetime, from two minutes to a day
        (HOUR, {}, 12 * MINUTE),
        (5 * MINUTE, {}, 2 * MINUTE),
        (60 * DAY, {}, DAY),
        # The provider's own margin, and never more than half of the lifetime
        (90 * DAY, {"usual_margin": 30 * DAY}, 30 * DAY),
        (30 * DAY, {"usual_margin": 30 * DAY}, 15 * DAY),
    ],
)
def test_the_margin_fits_the_lifetime(
    lifetime: timedelta, options: dict[str, Any], margin: timedelta
) -> None:
    assert margin <= margin_of(lifetime, **options) <= margin * 1.1


@given(lifetime=_LIFETIMES, account=st.text())
def test_a_renewal_lies_in_the_second_half_of_the_life_but_for_the_jitter(
    lifetime: timedelta, account: str
) -> None:
    renew_at = plan_renewal(NOW + lifetime, account, NOW)

    assert renew_at is not None
    assert NOW + lifetime * 0.45 - timedelta(microseconds=2) <= renew_at <= NOW + lifetime


@given(past=_PASTS, account=st.text())
def test_a_token_that_has_expired_is_due_at_once(past: timedelta, account: str) -> None:
    renew_at = plan_renewal(NOW - past, account, NOW)

    assert renew_at is not None
    assert renew_at <= NOW


@given(lifetime=_LIFETIMES, account=st.text())
def test_the_jitter_of_an_account_is_always_the_same(lifetime: timedelta, account: str) -> None:
    assert margin_of(lifetime, account) == margin_of(lifetime, account)


@given(shorter=_LIFETIMES, longer=_LIFETIMES)
def test_a_longer_life_is_not_renewed_sooner(shorter: timedelta, longer: timedelta) -> None:
    first, second = sorted([shorter, longer])
    renewals = [plan_renewal(NOW + life, "google:1", NOW) for life in (first, second)]

    assert renewals[0] is not None
    assert renewals[1] is not None
    assert renewals[0] <= renewals[1] + timedelta(microseconds=2)


def test_accounts_that_signed_in_together_are_renewed_apart() -> None:
    margins = [margin_of(HOUR, f"google:{number}") for number in range(1000)]
    spread = max(margins) - min(margins)

    # Over nearly all of the 72 seconds, and in each quarter of them
    assert spread > timedelta(seconds=68)
    quarters = {int((margin - min(margins)) / (spread / 4)) for margin in margins}
    assert quarters >= {0, 1, 2, 3}


@given(lifetime=_LIFETIMES, gap=st.timedeltas(timedelta(0), timedelta(days=30)))
def test_a_provider_gets_the_gap_between_renewals_that_it_wants(
    lifetime: timedelta, gap: timedelta
) -> None:
    usual = plan_renewal(NOW + lifetime, "apple:1", NOW)
    renew_at = plan_renewal(NOW + lifetime, "apple:1", NOW, minimum_gap=gap)

    assert usual is not None
    assert renew_at == max(usual, NOW + gap)


@pytest.mark.parametrize(
    ("lifetime", "margin"), [(2 * HOUR, 6 * MINUTE), (HOUR / 2, 2 * MINUTE), (7 * DAY, 8.4 * HOUR)]
)
def test_a_token_whose_refresh_token_serves_once_is_renewed_late(
    lifetime: timedelta, margin: timedelta
) -> None:
    # Of two hours six minutes are left, in which it may fail a few times, and never less than two
    assert margin <= margin_of(lifetime, is_late=True) <= margin * 1.1


def test_a_token_is_renewed_before_its_refresh_token_ends() -> None:
    end = NOW + timedelta(days=40)

    def planned(expires_at: datetime, now: datetime) -> datetime | None:
        return plan_renewal(expires_at, "l:1", now, last_chance=end)

    renew_at = planned(NOW + timedelta(days=60), NOW)
    assert renew_at is not None
    assert end - timedelta(days=2) < renew_at < end
    # One that ends before it is renewed as ever
    assert planned(NOW + HOUR, NOW) == plan_renewal(NOW + HOUR, "l:1", NOW)
    # And the token of that last renewal is the last one: another day is not worth another renewal
    last = plan_renewal(renew_at + timedelta(days=60), "l:1", renew_at)
    assert planned(renew_at + timedelta(days=60), renew_at) == last
