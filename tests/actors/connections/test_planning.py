"""Tests of when tokens are renewed and how long failures are waited out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from actors.backoff import plan_retry
from actors.connections.planning import plan_renewal

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
_LIFETIMES = st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=3650))
_PASTS = st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=3650))


def margin_of(lifetime: timedelta, account: str = "google:1") -> timedelta:
    renew_at = plan_renewal(NOW + lifetime, account, NOW)
    assert renew_at is not None
    return NOW + lifetime - renew_at


def test_a_token_without_an_end_is_never_renewed() -> None:
    assert plan_renewal(None, "google:1", NOW) is None


def test_the_margin_is_a_fifth_of_the_lifetime_and_a_little_more() -> None:
    assert timedelta(minutes=12) <= margin_of(HOUR) <= timedelta(minutes=13.2)


def test_a_long_life_is_renewed_a_day_before_its_end() -> None:
    assert timedelta(hours=24) <= margin_of(timedelta(days=60)) <= timedelta(hours=26.4)


def test_a_short_life_is_renewed_two_minutes_before_its_end() -> None:
    assert timedelta(minutes=2) <= margin_of(5 * timedelta(minutes=1)) <= timedelta(minutes=2.2)


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


@given(
    failures=st.integers(0, 10_000),
    first=st.integers(1, 3600),
    cap=st.integers(1, 86_400),
)
def test_a_retry_comes_within_its_time(failures: int, first: int, cap: int) -> None:
    wait = plan_retry(failures, first, cap, NOW) - NOW

    most = min(first * 2 ** min(failures, 32), cap)
    assert timedelta(seconds=most / 2) <= wait <= timedelta(seconds=most)


def test_waits_are_doubled_up_to_the_cap() -> None:
    def longest(failures: int) -> timedelta:
        return max(plan_retry(failures, 30, 3600, NOW) - NOW for _ in range(200))

    assert timedelta(seconds=28) < longest(0) <= timedelta(seconds=30)
    assert timedelta(seconds=56) < longest(1) <= timedelta(seconds=60)
    assert timedelta(seconds=112) < longest(2) <= timedelta(seconds=120)
    assert timedelta(seconds=3400) < longest(7) <= HOUR
    assert timedelta(seconds=3400) < longest(1000) <= HOUR


def test_those_who_failed_together_do_not_come_back_together() -> None:
    assert len({plan_retry(3, 30, 3600, NOW) for _ in range(50)}) > 40


@given(lifetime=_LIFETIMES, gap=st.timedeltas(timedelta(0), timedelta(days=30)))
def test_a_provider_gets_the_gap_between_renewals_that_it_wants(
    lifetime: timedelta, gap: timedelta
) -> None:
    usual = plan_renewal(NOW + lifetime, "apple:1", NOW)
    renew_at = plan_renewal(NOW + lifetime, "apple:1", NOW, minimum_gap=gap)

    assert usual is not None
    assert renew_at == max(usual, NOW + gap)


def test_a_margin_of_the_providers_own_takes_the_place_of_the_usual_one() -> None:
    def margin(lifetime: timedelta) -> timedelta:
        renew_at = plan_renewal(NOW + lifetime, "f:1", NOW, usual_margin=timedelta(days=30))
        assert renew_at is not None
        return NOW + lifetime - renew_at

    assert timedelta(days=30) <= margin(timedelta(days=90)) <= timedelta(days=33)
    # And is never more than half of the life
    assert timedelta(days=15) <= margin(timedelta(days=30)) <= timedelta(days=16.5)


def test_a_token_whose_refresh_token_serves_once_is_renewed_late() -> None:
    def margin(lifetime: timedelta) -> timedelta:
        renew_at = plan_renewal(NOW + lifetime, "x:1", NOW, is_late=True)
        assert renew_at is not None
        return NOW + lifetime - renew_at

    # Of two hours six minutes are left, in which it may fail a few times, and never less than two
    assert timedelta(minutes=6) <= margin(timedelta(hours=2)) <= timedelta(minutes=6.6)
    assert timedelta(minutes=2) <= margin(timedelta(minutes=30)) <= timedelta(minutes=2.2)
    assert timedelta(hours=8.4) <= margin(timedelta(days=7)) <= timedelta(hours=9.24)


def test_a_token_is_renewed_before_that_ends_which_renews_it() -> None:
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
