"""Tests of the sweep: a fair share for each provider, a bound on what waits, and the rates."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

import dramatiq
import pytest

from actors.providers.config.breaker import check_not_paused
from actors.providers.config.rates import allowances, rate_of
from actors.providers.config.settings import patch_provider, put_provider
from actors.providers.errors import ProviderPaused
from actors.renewal.limits import LIMITS, RenewalLimits
from actors.renewal.renew import renew_connection
from actors.renewal.sweep import renew_oaths, sweep
from catfeeder.client import Client
from catfeeder.clock import utc_now
from config import Settings
from models.db.database import hold_connection
from models.oauth.connections import TAB_CONNECTIONS
from models.oauth.provider_health import TAB_PROVIDER_HEALTH
from models.renewal.leases import Lease
from tests.actors.renewals import HOUR, connect, refreshes, renew_all
from tests.actors.sign_ins import NAME, now, reread
from tests.models.rows import grant, stored_connection
from tests.models.times import MINUTE, NOW, SECOND
from tests.scripted_provider import ScriptedProvider

PLAIN: Final = {
    "authorization_endpoint": "https://idp.example/authorize",
    "token_endpoint": "https://idp.example/token",
    "userinfo_endpoint": "https://idp.example/userinfo",
    "client_id": "client",
}


@pytest.fixture
def toml_conf() -> dict[str, Any]:
    """Small batches, swept for every ten seconds."""
    return {
        "OAuth": {"renewal_batch": 3, "lease_seconds": 60},
        "Crons": {"renew_oath_tokens_interval": 10},
    }


def store(provider: str, count: int, *, ago: int = 0) -> None:
    """Connections that fell due so many seconds ago."""
    with hold_connection():
        for number in range(count):
            due = grant(renew_at=NOW - ago * SECOND)
            stored_connection(f"{provider}-{number}", provider=provider, grant=due)


def swept(room: int, limits: RenewalLimits = LIMITS) -> list[list[str]]:
    """Sweep, and return the providers of what each message would carry."""
    batches: list[list[str]] = []

    def emit(leases: list[Lease]) -> None:
        with hold_connection():
            rows = [TAB_CONNECTIONS.get_by_id(lease.connection_id) for lease in leases]
        batches.append([row.provider for row in rows])

    assert sweep(NOW, emit, room, limits) == sum(map(len, batches)) <= room
    return batches


@pytest.mark.usefixtures("database")
def test_a_provider_with_much_that_is_due_keeps_no_other_waiting() -> None:
    store("many", 40, ago=3600)
    store("few", 2)
    store("some", 10)

    counted = Counter(name for batch in swept(room=24) for name in batch)

    # Each has its share of 8, and what one leaves is for the others
    assert counted["few"] == 2
    assert counted["some"] >= 8
    assert counted["many"] >= 8
    assert counted.total() == 24


@pytest.mark.usefixtures("tables")
def test_messages_carry_connections_of_one_provider_and_no_more_than_fit() -> None:
    store("a", 7)
    store("b", 2)

    batches = swept(1000, RenewalLimits(minimum_messages=1))

    assert sorted(len(batch) for batch in batches) == [1, 2, 3, 3]
    assert all(len(set(batch)) == 1 for batch in batches)


@pytest.mark.usefixtures("tables")
@pytest.mark.parametrize(("count", "messages"), [(1, 1), (16, 16), (17, 9), (60, 20)])
def test_few_connections_are_spread_over_many_messages(count: int, messages: int) -> None:
    # A message is worked off by one thread, and each of its connections may take seconds
    store("slow", count)

    batches = swept(room=1000)

    assert len(batches) == messages


@pytest.mark.usefixtures("tables")
@pytest.mark.parametrize("room", [0, 1, 2])
def test_where_there_is_hardly_room_each_provider_has_its_turn_by_chance(room: int) -> None:
    names = {"a", "b", "c"} if room else set()
    for name in ("a", "b", "c"):
        store(name, 3)
    seen = {name for batch in swept(room) for name in batch}
    # By chance it may take long, and never for ever
    for _ in range(300):
        if seen == names:
            break
        with hold_connection():
            TAB_CONNECTIONS.update(lease_until=None).execute()
        seen |= {name for batch in swept(room) for name in batch}

    assert seen == names


@pytest.mark.usefixtures("tables")
def test_more_than_one_statement_takes_is_taken_by_several() -> None:
    store("a", 11)
    store("b", 3)

    batches = swept(1000, RenewalLimits(maximum_leases=4))

    counted = Counter(name for batch in batches for name in batch)

    assert counted == {"a": 11, "b": 3}


def test_no_more_is_leased_than_the_queue_has_room_for(
    broker: dramatiq.Broker, client: Client, tables: Settings
) -> None:
    # Given a backlog, and no worker
    del broker, tables
    at = utc_now()
    with hold_connection():
        for number in range(20):
            stored_connection(f"{number}", grant=grant(renew_at=at - SECOND))

    # When it is swept for again and again
    for _ in range(3):
        renew_oaths(RenewalLimits(maximum_messages=2, minimum_messages=1))

    # Then what waits on the queue has its bound, and the rest waits unleased
    # (The mark at which the next sweep is asked for takes no room)
    assert client.broker.depth("renewals") == 3
    with hold_connection():
        is_leased = TAB_CONNECTIONS.lease_until.is_null(False)
        assert TAB_CONNECTIONS.select().where(is_leased).count() == 6


# -- The rates


@pytest.mark.usefixtures("settings")
@pytest.mark.parametrize("per_minute", [1, 2, 3, 7, 59, 60, 61, 100, 1000, 10_000])
def test_a_rate_is_never_exceeded_in_any_minute(per_minute: int) -> None:
    rate = rate_of(per_minute)
    assert rate is not None

    # At worst a burst comes first, and then one request as soon as each place is free
    flow = -(-MINUTE // rate.interval) - 1
    assert rate.burst + flow <= per_minute
    # And most of it is reached by sweeps of ten seconds
    assert per_minute * 0.74 <= flow + 1


@pytest.mark.usefixtures("database")
def test_a_sweep_takes_what_a_rate_leaves() -> None:
    put_provider("slow", {**PLAIN, "maximum_renewals_per_minute": 12}, NOW)
    store("slow", 10)
    store("other", 4)

    counted = Counter(name for batch in swept(room=1000) for name in batch)

    assert counted == {"slow": 2, "other": 4}
    with hold_connection():
        assert set(allowances(["slow"], NOW).values()) == {2}
        slow = TAB_PROVIDER_HEALTH.find("slow")
        rate = rate_of(12)
        assert rate is not None
        assert slow.reserve_request(NOW, rate.interval, rate.burst) is None
        assert set(allowances(["slow"], NOW).values()) == {1}


@pytest.mark.usefixtures("tables")
def test_a_rate_holds_for_all_renewals_and_none_is_left_behind(plain: ScriptedProvider) -> None:
    # Given 20 users of a provider that takes 6 requests a minute
    at = now()
    rows = connect(plain, 20, now=at)
    patch_provider(NAME, {"maximum_renewals_per_minute": 6}, at)
    plain.requests.clear()
    at += HOUR
    asked: list[tuple[int, int]] = []

    # When their tokens fall due, and are swept for every ten seconds
    for number in range(40):
        before = len(refreshes(plain))
        outcomes = renew_all(at + number * 10 * SECOND)
        assert set(outcomes) <= {None}
        asked.append((number, len(refreshes(plain)) - before))

    # Then no minute has more, and all are renewed
    for number, _ in asked:
        within = sum(some for other, some in asked if number <= other < number + 6)
        assert within <= 6
    assert len(refreshes(plain)) == 20
    assert {reread(row).version for row in rows} == {2}


@pytest.mark.usefixtures("tables")
def test_a_renewal_beyond_the_rate_is_refused_with_a_time(plain: ScriptedProvider) -> None:
    first, second = connect(plain, 2)
    patch_provider(NAME, {"maximum_renewals_per_minute": 1}, now())

    renew_connection(first.id)
    with pytest.raises(ProviderPaused, match="maximum_renewals_per_minute") as refusal:
        renew_connection(second.id)

    assert 1 <= int(refusal.value.headers["Retry-After"]) <= 60
    # And that is no pause: it says nothing about the provider
    check_not_paused(NAME, now())
    stored = reread(second)
    assert (stored.version, stored.failures, stored.lease_until) == (1, 0, None)
    assert stored.renew_at == second.renew_at
