"""Tests of a provider's circuit breaker and rate in the database: one process probes or opens."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

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


def test_failures_of_threads_are_all_counted() -> None:
    row = ensured()

    race_threads(8, lambda number, seen: seen.count_failure(str(number)), row)

    assert health().failures == 8


# -- The rate


def take(at: datetime, interval: timedelta = SECOND, burst: int = 3) -> datetime | None:
    with hold_connection():
        return TAB_PROVIDER_HEALTH.find(NAME).reserve_request(at, interval, burst)


def take_in_turn(times: int) -> int:
    return sum(take(NOW, burst=25) is None for _ in range(times))


def test_processes_share_one_rate(database: Settings) -> None:
    ensured()

    assert sum(race_processes(2, database, take_in_turn, 20)) == 25
