"""Tests of boot generations: a shutdown stops the boot it was meant for, and no other."""

from __future__ import annotations

import pytest

from config import Settings
from models.db.database import hold_connection
from models.server import (
    begin_boot,
    begin_supervised_boot,
    is_boot_ready,
    is_boot_stopping,
    is_latest_stopping,
    is_stopping,
    join_boot,
    record_stop,
    request_stop,
)
from tests.models.races import race_processes, race_threads
from tests.models.times import NOW

pytestmark = pytest.mark.usefixtures("held")


def test_what_is_left_of_an_earlier_boot_stops_with_the_one_that_runs() -> None:
    first, second = begin_boot(NOW), begin_boot(NOW)

    request_stop(second)

    assert is_stopping(first)


def test_of_many_that_stop_a_generation_one_succeeds() -> None:
    generation = begin_boot(NOW)

    assert sum(race_threads(4, lambda _: request_stop(generation))) == 1


def boot_often(times: int) -> list[int]:
    """Boot again and again, as one machine of several does."""
    numbers = []
    for _ in range(times):
        with hold_connection():
            numbers.append(begin_boot(NOW))
    return numbers


def test_machines_that_boot_at_once_get_different_generations(tables: Settings) -> None:
    first, second = race_processes(2, tables, boot_often, 50)

    assert sorted(first + second) == list(range(1, 101))


@pytest.mark.usefixtures("tables")
def test_a_database_without_a_boot_begins_with_the_first_that_joins() -> None:
    # Given a database that only `migrate` of an earlier release has touched
    assert not is_stopping(0)
    assert not is_latest_stopping()

    # Then the first process begins a boot, the next joins it, and neither stops for a later one
    assert [join_boot(NOW), join_boot(NOW)] == [1, 1]
    assert begin_supervised_boot(NOW) == 2
    assert not is_stopping(1)


@pytest.mark.usefixtures("tables")
def test_a_supervised_boot_stops_alone_or_with_the_service() -> None:
    first, second = begin_supervised_boot(NOW), begin_supervised_boot(NOW)
    assert not is_boot_ready(second)

    record_stop(second, NOW)
    assert [is_boot_stopping(first), is_boot_stopping(second)] == [False, True]
    assert not is_latest_stopping()

    assert request_stop(second)
    assert is_boot_stopping(first)
    assert is_latest_stopping()
