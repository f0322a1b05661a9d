"""Tests of the schedule: any number of schedulers win each tick once."""

from __future__ import annotations

from datetime import timedelta

import pytest

from config import Settings
from models.crons import claim_stalled_tick, claim_tick, ensure_cron
from models.db.database import hold_connection
from tests.models.races import race_processes
from tests.models.times import MINUTE, NOW, SECOND

pytestmark = pytest.mark.usefixtures("held")


def test_a_tick_that_stands_still_is_claimed_once_and_only_where_it_was_seen() -> None:
    # Given a cron that is due in a day
    day = timedelta(days=1)
    ensure_cron("sweep", NOW)
    claim_tick("sweep", day, NOW)

    # When schedulers that have seen it stand still claim it
    assert not claim_stalled_tick("sweep", MINUTE, NOW + MINUTE, NOW + SECOND)
    assert claim_stalled_tick("sweep", MINUTE, NOW + MINUTE, NOW + day)
    assert not claim_stalled_tick("sweep", MINUTE, NOW + MINUTE, NOW + day)

    # Then the next tick is a minute away
    assert not claim_tick("sweep", MINUTE, NOW + 2 * MINUTE - SECOND)
    assert claim_tick("sweep", MINUTE, NOW + 2 * MINUTE)


def schedule(slots: int) -> list[int]:
    """Look once a second whether the cron is due, as one scheduler of several does."""
    won = []
    for slot in range(slots):
        with hold_connection():
            if claim_tick("sweep", SECOND, NOW + slot * SECOND):
                won.append(slot)
    return won


def test_three_schedulers_emit_each_tick_once(tables: Settings) -> None:
    # Given a cron that is due once a second
    ensure_cron("sweep", NOW)

    # When three processes look for it over 80 seconds
    won = race_processes(3, tables, schedule, 80)

    # Then each tick was won, once

    assert sorted(slot for slots in won for slot in slots) == list(range(80))
