"""Tests of back-off: waits double up to a cap, and those that failed together return apart."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from actors.backoff import plan_retry

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@given(failures=st.integers(0, 10_000), first=st.integers(1, 3600), cap=st.integers(1, 86_400))
def test_a_retry_comes_within_its_time(failures: int, first: int, cap: int) -> None:
    wait = plan_retry(failures, first, cap, NOW) - NOW

    longest = min(first * 2 ** min(failures, 32), cap)
    assert timedelta(seconds=longest / 2) <= wait <= timedelta(seconds=longest)


def test_waits_are_doubled_up_to_the_cap() -> None:
    def longest(failures: int) -> timedelta:
        return max(plan_retry(failures, 30, 3600, NOW) - NOW for _ in range(200))

    assert timedelta(seconds=28) < longest(0) <= timedelta(seconds=30)
    assert timedelta(seconds=56) < longest(1) <= timedelta(seconds=60)
    assert timedelta(seconds=112) < longest(2) <= timedelta(seconds=120)
    assert timedelta(seconds=3400) < longest(7) <= HOUR
    assert timedelta(seconds=3400) < longest(1000) <= HOUR


def test_tries_that_failed_together_do_not_return_together() -> None:
    assert len({plan_retry(3, 30, 3600, NOW) for _ in range(50)}) > 40
