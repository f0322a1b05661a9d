"""Soak of the benchmarks: a token that is left behind counts in each of its figures."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from benchmarks.measuring.figures import table
from benchmarks.renewals.database import MARGIN, Schedule
from benchmarks.renewals.soak_figures import Soak, figures, find_backlog

FIRST = datetime(2026, 1, 1, tzinfo=UTC)


def test_a_soak_that_falls_behind_says_so() -> None:
    # Given tokens that fall due at the beginning, after 400 s and after 900 s
    schedule = Schedule(FIRST, timedelta(seconds=10_007))
    numbers = {(schedule.renew_at(number) - FIRST).seconds: number for number in range(10_007)}
    first, second, third = numbers[0], numbers[400], numbers[900]
    # When the second alone is renewed until the end, after 800 s
    times = {second: FIRST + timedelta(seconds=405)}
    end = FIRST + timedelta(seconds=800)
    renewals, backlog = find_backlog((first, second, third), schedule, times, end)
    text = table(figures(Soak("a test", 800, 0, renewals, backlog, {"service": 0.001})))
    # Then the first counts as left behind, as run out, and as the one that waits longest
    left = MARGIN.total_seconds() - 800
    assert "1 renewals, 0 /s, 1 tokens ran out" in text
    assert f"1, the oldest has {left:.0f} s left" in text
    assert "most 800.0 s" in text
