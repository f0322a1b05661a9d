"""Tests of renewals at once: a refresh token is shown once, and what it brought is not lost."""

from __future__ import annotations

import dataclasses
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import pytest

from actors.connections.errors import ConnectionBusy, RenewalFailing
from actors.providers.errors import ProviderUnreachable
from actors.renewal.leased import renew_leased
from actors.renewal.limits import RenewalLimits
from actors.renewal.outcomes.grants import store_grant
from actors.renewal.renew import renew_connection
from catfeeder.errors import CatFeederError
from config import Settings
from models.db.database import hold_connection
from models.oauth.connections import TAB_CONNECTIONS, ConnectionStatus
from models.renewal.journal import Attempt
from models.renewal.leases import require_reauthorization
from tests.actors.renewals import (
    HOUR,
    change,
    connect,
    held_renewal,
    lease_one,
    refreshes,
    renew_all,
    tokens_of,
)
from tests.actors.sign_ins import event_kinds, now, reread
from tests.models.reopening import reopened
from tests.models.rows import grant
from tests.provider.answers import Answer
from tests.scripted_provider import ScriptedProvider
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("tables")


PATIENT: Final = RenewalLimits(concurrent_seconds=60)


def renew_first_version(row: TAB_CONNECTIONS, *, await_others: bool = True) -> object:
    """Ask for a renewal of the first version; return the status or the type of the error."""
    try:
        return renew_connection(row.id, 1, await_others=await_others, limits=PATIENT)["status"]
    except CatFeederError as error:
        return type(error)


@pytest.mark.usefixtures("database")
def test_renewals_at_once_show_a_refresh_token_once(single_use: ScriptedProvider) -> None:
    # Given a provider that ends the grant when a refresh token comes twice
    (row,) = connect(single_use)
    # That is due at once: a clock of tomorrow would also see today's leases run out.
    change(row, renew_at=now())
    swept: list[object] = []
    busy_or_renewed: list[object] = []
    awaited: list[object] = []

    def sweep_and_renew() -> None:
        swept.extend(renew_all(now()))

    def renew_unless_busy() -> None:
        busy_or_renewed.append(renew_first_version(row, await_others=False))

    def renew_now() -> None:
        awaited.append(renew_first_version(row))

    # When sweeps and users ask for its renewal at the same time
    gate = single_use.hold("/token")
    acts = (sweep_and_renew, renew_unless_busy, renew_now) * 2
    threads = [threading.Thread(target=act) for act in acts]
    for thread in threads:
        thread.start()
    gate.await_arrival()
    # And all have done so that do not wait for the one at the provider
    wait_until(lambda: sum(thread.is_alive() for thread in threads) <= 3)
    gate.open()
    for thread in threads:
        thread.join()

    # Then one of them renewed it, and the others got the same or had nothing to do
    assert len(refreshes(single_use)) == 1
    assert single_use.grants.refresh_token_reuses == 0
    assert awaited == ["active", "active"]
    assert set(swept) <= {None}
    assert set(busy_or_renewed) <= {ConnectionBusy, "active"}
    assert reread(row).status == ConnectionStatus.ACTIVE
    # And its grant is alive
    assert renew_all(now() + HOUR) == [None]


def test_a_slow_renewal_that_was_overtaken_is_not_lost(plain: ScriptedProvider) -> None:
    # Given a renewal that takes longer than its lease
    plain.script.rotation = "rotating"
    (row,) = connect(plain)
    at = now()
    with held_renewal(plain, renew_leased, lease_one(row, at), at) as held:
        lease_one(row, at + HOUR, HOUR)
        # When it ends at last
        held.finish()

    # Then what it brought is what counts
    assert reread(row).version == 2
    token = tokens_of(row)[0]
    assert token is not None
    assert token.reveal().startswith("access-2-")


def test_a_renewal_that_ends_after_it_was_given_up_is_recorded_as_a_recovery(
    plain: ScriptedProvider,
) -> None:
    # Given a renewal whose process was frozen until its lease was over and another's had begun
    (row,) = connect(plain)
    at = now() - HOUR
    late = lease_one(row, at)
    other = lease_one(row, now(), HOUR)
    with hold_connection():
        # To which the provider called the token spent
        assert require_reauthorization(other, "outcome_unknown", now())

    # When the answer that it had is stored at last
    store_grant(Attempt(late, at), row, grant("late"), now())()

    # Then the events that name the end are followed by one of the return
    assert reread(row).status == ConnectionStatus.ACTIVE
    assert event_kinds()[-2:] == ["renewed", "recovered"]


def test_a_caller_that_asks_for_a_renewed_version_gets_the_outcome(
    single_use: ScriptedProvider,
) -> None:
    (row,) = connect(single_use)

    # Given jobs that were all asked for when the connection had its first version
    described = [renew_connection(row.id, version=1) for _ in range(3)]

    # Then one of them renewed it
    assert len(refreshes(single_use)) == 1
    assert described[0] == described[1] == described[2]
    # And a caller that asks anew gets a new one
    renew_connection(row.id, version=2)
    assert len(refreshes(single_use)) == 2


@pytest.mark.parametrize(
    ("answer", "first", "others"),
    [(None, "active", "active"), (Answer(503), ProviderUnreachable, RenewalFailing)],
    ids=["renewed", "failed"],
)
def test_a_few_threads_wait_for_a_renewal_and_get_its_outcome(
    answer: Answer | None, first: object, others: object, plain: ScriptedProvider
) -> None:
    (row,) = connect(plain)
    if answer is not None:
        plain.answer("/token", answer)
    with ThreadPoolExecutor(22) as pool:
        with held_renewal(plain, renew_first_version, row) as held:
            # When 22 more ask, then six are refused at once, as is one that does not want to wait
            asking = [pool.submit(renew_first_version, row) for _ in range(22)]
            wait_until(lambda: sum(asked.done() for asked in asking) == 6)
            assert renew_first_version(row, await_others=False) is ConnectionBusy
            # And the rest get the outcome of the first one
            assert held.finish() == first
        outcomes = Counter(asked.result() for asked in asking)

    assert outcomes == {ConnectionBusy: 6, others: 16}
    assert len(refreshes(plain)) == 1


@pytest.mark.parametrize("database_kind", ["postgresql"])
def test_a_renewal_that_waits_for_its_provider_holds_no_database_connection(
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
    single_use: ScriptedProvider,
) -> None:
    # Given a renewal that is slow, and another that begins when its lease has run out
    (row,) = connect(single_use)
    at = now()
    with held_renewal(single_use, renew_leased, lease_one(row, at), at) as held:
        later = at + HOUR
        renew_leased(lease_one(row, later, HOUR), later)
        assert reread(row).version == 2

        # When the provider calls the token of the slow one spent
        held.finish()

    # Then that says nothing about the grant, which has another token by now
    assert reread(row).status == ConnectionStatus.ACTIVE
