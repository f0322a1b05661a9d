"""Tests of sweeping: what is due is found by steps in an index, and taken many by one statement."""

from __future__ import annotations

import pytest

from models.db.database import hold_connection
from models.oauth.connections import TAB_CONNECTIONS, ConnectionStatus
from models.renewal.leases import claim_due, expedite_failing, list_due_providers
from tests.models.rows import grant, stored_connection
from tests.models.statements import statements
from tests.models.times import MINUTE, NOW, SECOND

pytestmark = pytest.mark.usefixtures("database")


def store(name: str, provider: str = "google", *, seconds: int | None = 0) -> TAB_CONNECTIONS:
    """A connection that falls due in so many seconds, or never."""
    renew_at = None if seconds is None else NOW + seconds * SECOND
    with hold_connection():
        return stored_connection(name, provider=provider, grant=grant(renew_at=renew_at))


def test_the_providers_of_which_something_is_due_are_found() -> None:
    for provider, seconds in (
        ("apple", 1),
        ("github", 0),
        ("github", 5),
        ("google", None),
        ("house-2", -5),
        ("x", 0),
    ):
        store(f"{provider}{seconds}", provider, seconds=seconds)

    with hold_connection():
        assert list_due_providers(NOW) == ["github", "house-2", "x"]
        assert list_due_providers(NOW + SECOND) == ["apple", "github", "house-2", "x"]
        assert list_due_providers(NOW - MINUTE) == []


def test_of_one_provider_no_other_is_claimed() -> None:
    store("a", "github")
    ours = {store(str(number)).id for number in range(3)}

    with hold_connection():
        claimed = claim_due("google", NOW, NOW + MINUTE, 10)

    assert {lease.connection_id for lease in claimed} == ours


def test_many_are_claimed_by_two_statements() -> None:
    for number in range(30):
        store(str(number))

    with hold_connection(), statements() as told:
        assert len(claim_due("google", NOW, NOW + MINUTE, 25)) == 25

    assert [sql.split()[0] for sql in told] == ["SELECT", "UPDATE"]


def test_where_nothing_is_due_nothing_is_written() -> None:
    store("a", seconds=5)

    with hold_connection(), statements() as told:
        assert claim_due("google", NOW, NOW + MINUTE, 25) == []

    assert [sql.split()[0] for sql in told] == ["SELECT"]


def test_what_waits_after_a_failure_may_be_hastened() -> None:
    failing, well, other = (
        store("a", seconds=90),
        store("b", seconds=90),
        store("c", "x", seconds=90),
    )
    ids = [failing.id, other.id]
    with hold_connection():
        TAB_CONNECTIONS.update(status=ConnectionStatus.RENEWAL_FAILING).where(
            TAB_CONNECTIONS.id.in_(ids)
        ).execute()

        expedite_failing("google", NOW)

        due = [TAB_CONNECTIONS.get_by_id(row.id).renew_at for row in (failing, well, other)]
    assert due == [NOW, NOW + 90 * SECOND, NOW + 90 * SECOND]
