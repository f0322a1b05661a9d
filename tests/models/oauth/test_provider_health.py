"""Tests of a provider's circuit breaker and rate in the database: one process probes or opens."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

import pytest

from config import Settings
from models.db.database import hold_connection
from models.oauth.provider_health import TAB_PROVIDER_HEALTH, HealthState
from tests.models.races import race_processes, race_threads
from tests.models.times import MINUTE, NOW, SECOND

NAME: Final = "google"
UNTIL: Final = NOW + MINUTE
pytestmark = pytest.mark.usefixtures("held")


def health() -> TAB_PROVIDER_HEALTH:
    return TAB_PROVIDER_HEALTH.find(NAME)


def ensured() -> TAB_PROVIDER_HEALTH:
    TAB_PROVIDER_HEALTH.ensure(NAME)
    return health()


def paused(until: datetime = UNTIL) -> TAB_PROVIDER_HEALTH:
    """A provider whose renewals are paused."""
    assert pause(ensured(), until)
    return health()


def pause(row: TAB_PROVIDER_HEALTH, until: datetime = UNTIL, connection: str = "a") -> bool:
    return row.pause(connection, until=until, kind="transient", reason="It is down.", now=NOW)


def test_a_provider_without_a_row_is_healthy() -> None:
    assert TAB_PROVIDER_HEALTH.load_all() == {}
    row = health()

    assert (row.state, row.failures, row.pauses) == (HealthState.CLOSED, 0, 0)
    assert not row.is_paused(NOW)
    # And to look leaves no row behind, to ensure one does, once
    assert TAB_PROVIDER_HEALTH.load_all() == {}
    for _ in range(2):
        TAB_PROVIDER_HEALTH.ensure(NAME)
    assert list(TAB_PROVIDER_HEALTH.load_all()) == [NAME]


def test_a_pause_is_kept_and_ends() -> None:
    row = paused()

    assert row.state == HealthState.OPEN
    assert (row.kind, row.reason, row.since) == ("transient", "It is down.", NOW)
    assert row.is_paused(UNTIL - SECOND)
    assert not row.is_paused(UNTIL)

    assert row.resume()
    row = health()
    assert (row.state, row.pauses, row.since) == (HealthState.CLOSED, 0, None)
    assert (row.kind, row.reason, row.paused_until) == (None, None, None)


def test_a_pause_after_a_pause_is_counted_and_begins_when_the_first_did() -> None:
    row = paused()
    assert row.begin_probe(UNTIL + MINUTE)
    row = TAB_PROVIDER_HEALTH.find(NAME)
    assert row.pause("b", until=UNTIL + 2 * MINUTE, kind="x", reason="y", now=UNTIL)

    row = health()
    assert (row.state, row.pauses, row.since) == (HealthState.OPEN, 2, NOW)


def test_of_threads_that_want_to_probe_one_does() -> None:
    for _ in range(10):
        row = paused(NOW)

        won = race_threads(4, lambda _, seen: seen.begin_probe(UNTIL), row)

        assert sum(won) == 1
        assert health().state == HealthState.HALF_OPEN
        assert health().resume()


def probe_in_turn(times: int) -> int:
    """Try to probe again and again; return how often this process succeeded."""
    won = 0
    for _ in range(times):
        with hold_connection():
            row = TAB_PROVIDER_HEALTH.find(NAME)
            won += row.state == HealthState.OPEN and row.begin_probe(UNTIL)
    return won


def test_of_processes_that_want_to_probe_one_does(database: Settings) -> None:
    paused(NOW)

    assert sum(race_processes(2, database, probe_in_turn, 20)) == 1


def test_a_write_from_an_old_epoch_changes_nothing() -> None:
    # Given a row that was read before the state changed
    seen = ensured()
    paused()

    # Then nothing that they bring is written
    assert not pause(seen, UNTIL + MINUTE)
    assert not seen.resume()
    assert not seen.begin_probe(UNTIL)
    assert not seen.abandon_probe(NOW)
    seen.count_failure("z")
    seen.reset_failures("a")
    row = health()
    assert (row.paused_until, row.failures, row.failing_connection) == (UNTIL, 0, "a")


def test_an_abandoned_probe_is_left_to_the_next_process() -> None:
    row = paused(NOW)
    row.begin_probe(UNTIL)
    assert health().abandon_probe(NOW)

    assert health().state == HealthState.OPEN
    assert not health().is_paused(NOW)


def test_failures_in_a_row_count_by_changes_of_connection() -> None:
    row = ensured()
    counts = [row.count_failure(name) for name in ("a", "a", "b", "b", "a")]

    assert counts == [1, 1, 2, 2, 3]
    # And a success resets the count; the last failing connection stays, unless it succeeded
    health().reset_failures("c")
    assert (health().failures, health().failing_connection) == (0, "a")
    assert health().count_failure("a") == 1
    health().reset_failures("a")
    assert (health().failures, health().failing_connection) == (0, None)


def test_failures_of_threads_are_all_counted() -> None:
    row = ensured()

    race_threads(8, lambda number, seen: seen.count_failure(str(number)), row)

    assert health().failures == 8


def test_a_providers_health_is_erased() -> None:
    paused()
    TAB_PROVIDER_HEALTH.erase(NAME)
    assert health().state == HealthState.CLOSED


# -- The rate


def take(at: datetime, interval: timedelta = SECOND, burst: int = 3) -> datetime | None:
    with hold_connection():
        return TAB_PROVIDER_HEALTH.find(NAME).reserve_request(at, interval, burst)


def test_a_rate_has_a_burst_and_then_one_each_interval() -> None:
    row = ensured()

    assert row.count_free_requests(NOW, SECOND, 3) == 3
    assert [take(NOW) for _ in range(3)] == [None] * 3
    assert health().count_free_requests(NOW, SECOND, 3) == 0
    # And an early request is answered with the time to ask again
    assert take(NOW) == NOW + SECOND
    assert take(NOW + SECOND - timedelta(milliseconds=1)) == NOW + SECOND
    assert take(NOW + SECOND) is None
    assert take(NOW + SECOND) == NOW + 2 * SECOND
    # And what was not used is not saved up beyond the burst
    assert health().count_free_requests(NOW + MINUTE, SECOND, 3) == 3
    assert [take(NOW + MINUTE) is None for _ in range(5)] == [True] * 3 + [False] * 2


def take_in_turn(times: int) -> int:
    return sum(take(NOW, burst=25) is None for _ in range(times))


def test_processes_share_one_rate(database: Settings) -> None:
    ensured()

    assert sum(race_processes(2, database, take_in_turn, 20)) == 25


def test_threads_share_one_rate() -> None:
    ensured()

    taken: list[Any] = race_threads(6, lambda _: [take(NOW, burst=20) for _ in range(5)])

    assert sum(one is None for some in taken for one in some) == 20
