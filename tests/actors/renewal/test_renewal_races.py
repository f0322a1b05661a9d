"""Tests of renewals at once: a refresh token is shown once, and what it brought is not lost."""

from __future__ import annotations

import dataclasses
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from actors.errors import ConnectionBusy, ProviderUnreachable, RenewalFailing
from actors.renewal import waiting
from actors.renewal.outcomes import store_grant
from actors.renewal.renew import renew_connection, renew_leased
from catfeeder.errors import CatFeederError
from config import Settings
from models.db.database import hold_connection
from models.oauth.connections import TAB_CONNECTIONS, ConnectionStatus
from models.renewal.journal import Attempt
from models.renewal.leases import claim, require_reauthorization
from tests.actors.renewals import HOUR, connect, refreshes, renew_all, tokens_of
from tests.actors.sign_ins import event_kinds, now, reread
from tests.models.reopening import reopened
from tests.models.rows import grant
from tests.provider.answers import Answer
from tests.scripted_provider import ScriptedProvider
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("tables")


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "_PATIENCE_SECONDS", 60)


@pytest.mark.usefixtures("database")
def test_renewals_at_once_show_a_refresh_token_once(plain: ScriptedProvider) -> None:
    # Given a provider that ends the grant when a refresh token comes twice
    plain.script.rotation = "single_use"
    (row,) = connect(plain)
    # That is due at once: a clock of tomorrow would also see today's leases run out.
    with hold_connection():
        TAB_CONNECTIONS.update(renew_at=now()).where(TAB_CONNECTIONS.id == row.id).execute()
    outcomes: list[object] = []

    def sweep_and_renew() -> None:
        outcomes.extend(renew_all(now()))

    def renew_now() -> None:
        try:
            outcomes.append(renew_connection(row.id, version=1)["status"])
        except CatFeederError as error:
            outcomes.append(type(error))

    # When sweeps and users ask for its renewal at the same time
    gate = plain.hold("/token")
    free_seats = waiting._SEATS._value
    threads = [threading.Thread(target=act) for act in (sweep_and_renew, renew_now) * 3]
    for thread in threads:
        thread.start()
    gate.await_arrival()
    # Of the others each has had nothing to do, or waits for who is at the provider
    wait_until(
        lambda: (
            sum(thread.is_alive() for thread in threads) == 1 + free_seats - waiting._SEATS._value
        )
    )
    gate.open()
    for thread in threads:
        thread.join()

    # Then one of them did it, and the others got the same or had nothing to do
    assert len(refreshes(plain)) == 1
    assert plain.grants.refresh_token_reuses == 0
    assert outcomes.count("active") == 3
    assert set(outcomes) <= {None, "active"}
    assert reread(row).status == ConnectionStatus.ACTIVE
    # And its grant is alive
    assert renew_all(now() + HOUR) == [None]


def test_a_slow_renewal_that_was_overtaken_is_not_lost(plain: ScriptedProvider) -> None:
    # Given a renewal that takes longer than its lease
    plain.script.rotation = "rotating"
    (row,) = connect(plain)
    at = now()
    with hold_connection():
        slow = claim(row.id, at, at + timedelta(seconds=60))
    assert slow is not None
    gate = plain.hold("/token")
    renewing = threading.Thread(target=renew_leased, args=(slow, at))
    renewing.start()
    gate.await_arrival()
    with hold_connection():
        assert claim(row.id, at + HOUR, at + 2 * HOUR) is not None

    # When it ends at last
    gate.open()
    renewing.join()

    # Then what it brought is what counts
    assert reread(row).version == 2
    token = tokens_of(row)[0]
    assert token is not None
    assert token.reveal().startswith("access-2-")


def test_a_renewal_that_comes_back_after_it_was_given_up_is_told_as_a_recovery(
    plain: ScriptedProvider,
) -> None:
    # Given a renewal whose process was frozen until its lease was over and another's had begun
    (row,) = connect(plain)
    at = now() - HOUR
    with hold_connection():
        late = claim(row.id, at, at + timedelta(seconds=60))
        other = claim(row.id, now(), now() + HOUR)
        assert late is not None
        assert other is not None
        # And which the provider told that the token is spent
        assert require_reauthorization(other, "outcome_unknown", now())

    # When the answer that it had is stored at last
    store_grant(Attempt(late, at), row, grant("late"), now())()

    # Then whoever was told of the end is told of the return
    assert reread(row).status == ConnectionStatus.ACTIVE
    assert event_kinds()[-2:] == ["renewed", "recovered"]


def ask_at_once(row: TAB_CONNECTIONS, count: int) -> list[object]:
    """Ask that often at the same time for a renewal of the first version; return how each went."""

    def ask(_: int) -> object:
        try:
            return renew_connection(row.id, version=1)["status"]
        except CatFeederError as error:
            return type(error)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(ask, range(count)))


def test_who_asks_for_a_version_that_was_renewed_gets_what_came_of_it(
    plain: ScriptedProvider,
) -> None:
    plain.script.rotation = "single_use"
    (row,) = connect(plain)

    # Given jobs that were all asked for when the connection had its first version
    described = [renew_connection(row.id, version=1) for _ in range(3)]

    # Then one of them renewed it
    assert len(refreshes(plain)) == 1
    assert described[0] == described[1] == described[2]
    # And who asks anew gets a new one
    renew_connection(row.id, version=2)
    assert len(refreshes(plain)) == 2


def test_who_waits_for_another_gets_their_failure_as_well(plain: ScriptedProvider) -> None:
    (row,) = connect(plain)
    plain.answer("/token", Answer(503))
    gate = plain.hold("/token")
    free_seats = waiting._SEATS._value
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(ask_at_once, row, 3)
        gate.await_arrival()
        # Nobody else has come to the provider, and the two who have not wait
        assert len(refreshes(plain)) == 1
        wait_until(lambda: waiting._SEATS._value == free_seats - 2)
        gate.open()
        outcomes = asking.result()

    assert len(refreshes(plain)) == 1
    assert sorted(map(str, outcomes)) == sorted(
        map(str, [ProviderUnreachable, RenewalFailing, RenewalFailing])
    )


def test_no_more_than_a_few_threads_wait_for_others(plain: ScriptedProvider) -> None:
    (row,) = connect(plain)
    gate = plain.hold("/token")
    with ThreadPoolExecutor(23) as pool:
        first = pool.submit(renew_connection, row.id)
        gate.await_arrival()

        # When 22 more ask, then six of them are told at once, and so is who does not want to wait
        others = [pool.submit(renew_connection, row.id, 1) for _ in range(22)]
        wait_until(lambda: sum(other.done() for other in others) == 6)
        with pytest.raises(ConnectionBusy):
            renew_connection(row.id, await_others=False)

        # And the rest gets what the first one brings
        gate.open()
        assert first.result()["status"] == "active"
    failures = [other.exception() for other in others]
    assert [type(failure) for failure in failures if failure] == [ConnectionBusy] * 6
    assert len(refreshes(plain)) == 1


@pytest.mark.parametrize("database_kind", ["postgresql"])
def test_who_waits_for_a_provider_holds_no_connection_to_the_database(
    plain: ScriptedProvider, tables: Settings
) -> None:
    # Given a process that may have two connections
    rows = connect(plain, 6)
    limits = dataclasses.replace(tables.database, max_connections=2)
    with reopened(dataclasses.replace(tables, database=limits)):
        gate = plain.hold("/token")
        with ThreadPoolExecutor(len(rows)) as pool:
            # When six threads renew at once, then all of them get as far as the provider
            renewals = [pool.submit(renew_connection, row.id) for row in rows]
            for _ in rows:
                gate.await_arrival()
            gate.open()
            assert [renewal.result()["status"] for renewal in renewals] == ["active"] * 6


def test_a_grant_that_seems_dead_while_another_has_come_is_not_given_up(
    plain: ScriptedProvider,
) -> None:
    # Given a renewal that is slow, and another that begins when its lease has run out
    plain.script.rotation = "single_use"
    (row,) = connect(plain)
    at = now()
    gate = plain.hold("/token", times=1)
    with hold_connection():
        slow = claim(row.id, at, at + timedelta(seconds=60))
    assert slow is not None
    with ThreadPoolExecutor(1) as pool:
        renewing = pool.submit(renew_leased, slow, at)
        gate.await_arrival()
        later = at + HOUR
        with hold_connection():
            fast = claim(row.id, later, later + HOUR)
        assert fast is not None
        renew_leased(fast, later)
        assert reread(row).version == 2

        # When the provider tells the slow one that the token is spent
        gate.open()
        renewing.result()

    # Then that says nothing about the grant, which has another token by now
    assert reread(row).status == ConnectionStatus.ACTIVE
