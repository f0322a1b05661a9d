"""Tests of claiming: what is due is leased, the longest due first, by one claimant alone."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest

from config import Settings
from models.db.database import database, hold_connection, transaction
from models.oauth.connections import TAB_CONNECTIONS, ConnectionStatus
from models.renewal.leases import Lease, claim, expedite_failing
from models.renewal.sweeps import claim_due, list_due_providers
from tests.models.races import race_processes, race_threads
from tests.models.rows import grant, stored_connection
from tests.models.statements import record_statements
from tests.models.times import MINUTE, NOW, SECOND

pytestmark = pytest.mark.usefixtures("held")
UNTIL = NOW + MINUTE


def store(name: str, provider: str = "google", *, seconds: int | None = 0) -> TAB_CONNECTIONS:
    """A connection that falls due in so many seconds, or never."""
    renew_at = None if seconds is None else NOW + seconds * SECOND
    return stored_connection(name, provider=provider, grant=grant(renew_at=renew_at))


def fail(*rows: TAB_CONNECTIONS) -> None:
    ids = [row.id for row in rows]
    TAB_CONNECTIONS.update(status=ConnectionStatus.RENEWAL_FAILING).where(
        TAB_CONNECTIONS.id.in_(ids)
    ).execute()


def test_the_longest_due_connections_are_claimed_first() -> None:
    for number in range(5):
        store(f"account-{number}", seconds=-number)

    claimed = claim_due("google", NOW, UNTIL, limit=3)

    accounts = [TAB_CONNECTIONS.get_by_id(it.connection_id).provider_subject for it in claimed]
    assert accounts == ["account-4", "account-3", "account-2"]
    assert {(lease.version, lease.until) for lease in claimed} == {(1, UNTIL)}


def test_a_connection_that_is_not_due_is_not_claimed() -> None:
    store("later", seconds=1)
    store("never", seconds=None)

    with record_statements() as executed:
        assert claim_due("google", NOW, UNTIL, limit=10) == []

    # And it takes one statement to see that
    assert len(executed) == 1


def test_a_leased_connection_is_not_claimed_until_the_lease_runs_out() -> None:
    lease = claim(store("a").id, NOW, UNTIL)
    assert lease is not None

    assert claim_due("google", UNTIL - SECOND, UNTIL + MINUTE, limit=10) == []
    assert claim(lease.connection_id, UNTIL - SECOND, UNTIL + MINUTE) is None
    assert len(claim_due("google", UNTIL, UNTIL + MINUTE, limit=10)) == 1


def test_a_connection_may_be_claimed_before_it_is_due() -> None:
    row = store("a", seconds=3600)

    assert claim(row.id, NOW, UNTIL) == Lease(row.id, 1, UNTIL)
    assert claim("no-such-connection", NOW, UNTIL) is None


def claim_in_turn(limit: int) -> list[str]:
    """Claim batch by batch, as one of several sweeps does."""
    ids: list[str] = []
    for _ in range(30):
        with hold_connection():
            ids += [lease.connection_id for lease in claim_due("google", NOW, UNTIL, limit)]
    return ids


@pytest.mark.parametrize(
    ("count", "race"),
    [
        (40, lambda _: race_threads(4, lambda _: claim_in_turn(7))),
        (100, lambda settings: race_processes(2, settings, claim_in_turn, 10)),
    ],
    ids=["threads", "processes"],
)
def test_concurrent_sweeps_never_claim_the_same_connection(
    tables: Settings, count: int, race: Callable[[Settings], list[list[str]]]
) -> None:
    for number in range(count):
        store(f"account-{number}")

    ids = [connection_id for claimed in race(tables) for connection_id in claimed]

    assert len(ids) == len(set(ids)) == count


def test_of_threads_that_claim_one_connection_one_gets_it() -> None:
    ids = [store(f"account-{number}").id for number in range(20)]

    for connection_id in ids:
        leases = race_threads(4, lambda _, wanted: claim(wanted, NOW, UNTIL), connection_id)

        assert sum(lease is not None for lease in leases) == 1


def test_a_sweep_passes_over_what_another_is_claiming() -> None:
    # Given a sweep that has claimed and not committed yet
    claimed, may_end = threading.Event(), threading.Event()
    for number in range(5):
        store(f"account-{number}")

    def claim_slowly() -> None:
        with transaction():
            claim_due("google", NOW, UNTIL, limit=2)
            claimed.set()
            may_end.wait(60)

    slow = threading.Thread(target=claim_slowly)
    slow.start()
    assert claimed.wait(30)

    # When another one claims; on SQLite it would wait for the first to end
    if not database.for_update:
        may_end.set()
    others = claim_due("google", NOW, UNTIL, limit=10)

    # Then it has the rest, and at once
    assert len(others) == 3
    assert slow.is_alive() or not database.for_update
    may_end.set()
    slow.join()


# -- Provider by provider


def test_the_providers_with_a_due_connection_are_found() -> None:
    for provider, seconds in (
        ("apple", 1),
        ("github", 0),
        ("github", 5),
        ("google", None),
        ("house-2", -5),
        ("x", 0),
    ):
        store(f"{provider}{seconds}", provider, seconds=seconds)

    assert list_due_providers(NOW) == ["github", "house-2", "x"]
    assert list_due_providers(NOW + SECOND) == ["apple", "github", "house-2", "x"]
    assert list_due_providers(NOW - MINUTE) == []


def test_of_one_provider_no_other_is_claimed() -> None:
    store("a", "github")
    ours = {store(str(number)).id for number in range(3)}

    claimed = claim_due("google", NOW, UNTIL, 10)

    assert {lease.connection_id for lease in claimed} == ours


def test_many_are_claimed_by_few_statements() -> None:
    for number in range(30):
        store(str(number))

    with record_statements() as executed:
        assert len(claim_due("google", NOW, UNTIL, 25)) == 25

    # One on PostgreSQL, which finds each row once
    assert [sql.split()[0] for sql in executed] in (["SELECT", "UPDATE"], ["UPDATE"])


def test_failing_connections_of_one_provider_are_expedited() -> None:
    failing, well = store("a", seconds=90), store("b", seconds=90)
    other = store("c", "x", seconds=90)
    fail(failing, other)

    expedite_failing("google", NOW)

    due = [TAB_CONNECTIONS.get_by_id(row.id).renew_at for row in (failing, well, other)]
    assert due == [NOW, NOW + timedelta(seconds=90), NOW + timedelta(seconds=90)]
