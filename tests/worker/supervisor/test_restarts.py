"""Back-off between restarts, and the failures that make a crash loop."""

from __future__ import annotations

import pytest

from worker.supervisor.restarts import RestartHistory, RestartPolicy


@pytest.fixture
def history() -> RestartHistory:
    return RestartHistory(RestartPolicy())


def test_the_delay_grows_to_half_a_minute_and_a_long_life_resets_it(
    history: RestartHistory,
) -> None:
    delays = [history.add_end(1, lived_seconds=0.1) for _ in range(9)]

    assert delays == [0, 0.5, 1, 2, 4, 8, 16, 30, 30]
    assert history.add_end(1, lived_seconds=3600) == 0
    assert history.add_end(1, lived_seconds=0.1) == 0.5


def test_four_failures_at_the_first_starts_are_a_crash_loop(history: RestartHistory) -> None:
    for expected in (False, False, False, True):
        history.add_end(1, lived_seconds=0.1)
        assert history.is_crash_loop is expected


@pytest.mark.parametrize("status", [-9, 0])
def test_a_killed_process_and_one_that_ends_well_are_in_no_crash_loop(
    history: RestartHistory, status: int
) -> None:
    for _ in range(9):
        history.add_end(status, lived_seconds=0.1)

    assert not history.is_crash_loop


def test_a_process_that_has_worked_is_in_no_crash_loop(history: RestartHistory) -> None:
    for lived_seconds in (0.1, 0.1, 0.1, 3, 0.1, 0.1, 0.1, 0.1):
        history.add_end(1, lived_seconds)

    assert not history.is_crash_loop
