"""Sweeps of more than one sweep has room for: no interval of the schedule bounds the rate."""

from __future__ import annotations

import uuid
from itertools import count
from typing import Any

import pytest

from actors.renewal.limits import LIMITS
from actors.renewal.sweep import renew_oaths
from catfeeder.clock import utc_now
from catfeeder.messages import CONTROL, RENEW_CONNECTIONS, RENEW_OATHS, RENEWALS
from catfeeder.queue.broker import SealedBroker, build_message
from config import Settings, current_settings
from models.db.database import hold_connection
from models.oauth.connections import TAB_CONNECTIONS
from tests.actors.sign_ins import NAME, codes_posted
from tests.conftest import StartWorker
from tests.models.rows import grant, stored_connection
from tests.models.times import SECOND
from tests.provider.answers import Answer, json_answer
from tests.provider.server import Request
from tests.scripted_provider import ScriptedProvider
from tests.waiting import wait_until

#: More than two sweeps lease.
COUNT = 410


@pytest.fixture
def toml_conf() -> dict[str, Any]:
    """Batches of one, so that few connections are more than one sweep leases."""
    return {"OAuth": {"renewal_batch": 1}}


def store_due(total: int) -> None:
    """Connections that are due, whose tokens any provider takes that takes every token."""
    with hold_connection():
        for number in range(total):
            due = grant(renew_at=utc_now() - SECOND, refresh_token=f"refresh-{number}")
            stored_connection(f"{number}", provider=NAME, grant=due)


def count_renewed() -> int:
    """Return how many connections have another grant than their first."""
    with hold_connection():
        return int(TAB_CONNECTIONS.select().where(TAB_CONNECTIONS.version == 2).count())


@pytest.mark.parametrize("second_tick_after", [None, 80], ids=str)
def test_what_one_sweep_has_no_room_for_is_renewed_before_the_next_tick(
    broker: SealedBroker,
    start_worker: StartWorker,
    plain: ScriptedProvider,
    second_tick_after: int | None,
) -> None:
    # Given more due connections than one sweep leases, and the schedule as it is by default
    assert LIMITS.maximum_messages * current_settings().oauth.renewal_batch * 2 < COUNT
    asked = count(1)

    def grant_new(_: Request) -> Answer:
        if next(asked) == second_tick_after:
            renew_oaths()
        return json_answer({"access_token": "new", "expires_in": 3600})

    plain.answer("/token", grant_new)
    store_due(COUNT)
    # When one tick comes, or another before the queue holds so little that the next sweep is due
    start_worker(threads=4)
    broker.enqueue(build_message(RENEW_OATHS, {}))
    # Then all are renewed, each once, and no sweep follows the last
    wait_until(lambda: count_renewed() == COUNT)
    wait_until(lambda: broker.depth(RENEWALS) == broker.depth(CONTROL) == 0)
    assert codes_posted(plain) == COUNT


def test_ticks_that_come_meanwhile_ask_for_no_further_sweeps(
    broker: SealedBroker, plain: ScriptedProvider
) -> None:
    # Given a backlog, no worker, and a full queue that holds the mark of its sweep
    del plain
    store_due(LIMITS.maximum_messages + 10)
    renew_oaths()
    depth = broker.depth(RENEWALS)
    assert depth == LIMITS.maximum_messages + 1
    # When more ticks come
    for _ in range(3):
        renew_oaths()
    # Then nothing was added
    assert broker.depth(RENEWALS) == depth


def test_a_mark_asks_for_a_sweep_unless_another_mark_must_follow(
    broker: SealedBroker, start_worker: StartWorker, tables: Settings
) -> None:
    # Given a queue with more than what follows the last mark, and one behind it
    del tables
    for number in range(LIMITS.maximum_messages // 2 + 2):
        lease = [str(uuid.UUID(int=number)), 1, utc_now().isoformat()]
        broker.enqueue(build_message(RENEW_CONNECTIONS, {"leases": [lease] if number else []}))
    broker.enqueue(build_message(RENEW_CONNECTIONS, {"leases": []}))

    # When all of it is consumed, and the control queue by no process
    start_worker(threads=1, prefetch=1, queues={RENEWALS})

    # Then the last mark alone asked for a sweep
    wait_until(lambda: broker.depth(RENEWALS) == 0 and broker.depth(CONTROL) > 0)
    assert broker.depth(CONTROL) == 1
