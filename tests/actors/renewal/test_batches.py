"""Tests of batches: a slow provider keeps no thread for long that other messages wait for."""

from __future__ import annotations

from typing import Final

import dramatiq
import pytest

from actors.renewal.limits import RenewalLimits
from actors.renewal.renew import renew_connections
from catfeeder.messages import RENEW_CONNECTIONS
from catfeeder.queue.broker import build_message
from catfeeder.queue.redis.connection import connect_redis
from models.db.database import hold_connection
from models.oauth.connections import TAB_CONNECTIONS
from tests.actors.renewals import connect, lease_connections
from tests.actors.sign_ins import now, reread
from tests.scripted_provider import ScriptedProvider

pytestmark = pytest.mark.usefixtures("tables")
#: A time slice is over with the first connection.
SHORT: Final = RenewalLimits(slice_seconds=0)


def test_a_message_that_takes_long_makes_room_for_one_that_waits(
    broker: dramatiq.Broker, plain: ScriptedProvider
) -> None:
    rows = connect(plain, 3)
    # Given a message whose time is up with its first connection, and another that waits
    broker.enqueue(build_message(RENEW_CONNECTIONS, {"leases": []}))

    renew_connections(lease_connections(rows), SHORT)

    # Then it ends there, and what is left of it is leased until a sweep brings it back
    assert [reread(row).version for row in rows] == [2, 1, 1]
    with hold_connection():
        waiting = TAB_CONNECTIONS.select().where(TAB_CONNECTIONS.lease_until > now())
        assert waiting.count() == 2


def test_a_message_goes_on_as_long_as_no_other_waits(
    broker: dramatiq.Broker, plain: ScriptedProvider
) -> None:
    del broker
    rows = connect(plain, 3)

    renew_connections(lease_connections(rows), SHORT)

    assert [reread(row).version for row in rows] == [2, 2, 2]


def test_a_broker_that_is_away_keeps_no_renewal_waiting(
    broker: dramatiq.Broker, plain: ScriptedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = connect(plain, 2)

    with monkeypatch.context() as outage:
        outage.setattr(broker, "client", connect_redis("unix:///nowhere/valkey.sock"))
        renew_connections(lease_connections(rows), SHORT)

    assert [reread(row).version for row in rows] == [2, 2]
