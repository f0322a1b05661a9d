"""Tests that a provider that takes its time keeps no thread for long that others wait for."""

from __future__ import annotations

import dramatiq
import pytest

from actors.renewal import time_slices
from actors.renewal.renew import renew_connections
from catfeeder.broker import build_message
from catfeeder.messages import RENEW_CONNECTIONS
from catfeeder.redis_connection import connect_redis
from models.db.database import hold_connection
from models.oauth.connections import TAB_CONNECTIONS
from tests.actors.renewals import connect, leased
from tests.actors.sign_ins import now, reread
from tests.scripted_provider import ScriptedProvider

pytestmark = pytest.mark.usefixtures("tables")


@pytest.fixture(autouse=True)
def _short_shift(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time_slices, "_SHIFT_SECONDS", 0.0)


def test_a_message_that_takes_long_makes_room_for_one_that_waits(
    broker: dramatiq.Broker, plain: ScriptedProvider
) -> None:
    rows = connect(plain, 3)
    # Given a message whose time is up with its first connection, and another that waits
    broker.enqueue(build_message(RENEW_CONNECTIONS, {"leases": []}))

    renew_connections(leased(rows))

    # Then it ends there, and what is left of it is leased until a sweep brings it back
    assert [reread(row).version for row in rows] == [2, 1, 1]
    with hold_connection():
        waiting = TAB_CONNECTIONS.select().where(TAB_CONNECTIONS.lease_until > now())
        assert waiting.count() == 2


def test_as_long_as_nobody_waits_a_message_goes_on(
    broker: dramatiq.Broker, plain: ScriptedProvider
) -> None:
    del broker
    rows = connect(plain, 3)

    renew_connections(leased(rows))

    assert [reread(row).version for row in rows] == [2, 2, 2]


def test_a_broker_that_is_away_keeps_no_renewal_waiting(
    broker: dramatiq.Broker, plain: ScriptedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = connect(plain, 2)

    with monkeypatch.context() as outage:
        outage.setattr(broker, "client", connect_redis("unix:///nowhere/valkey.sock"))
        renew_connections(leased(rows))

    assert [reread(row).version for row in rows] == [2, 2]
