"""Tests of the writes of a successful renewal: alone or in a group, each fenced by its lease."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from models.db.database import transaction
from models.events import TAB_EVENTS
from models.oauth.connections import TAB_CONNECTIONS
from models.renewal.grouped_writes import begin_first_attempt, perform_writes
from models.renewal.journal import TAB_ATTEMPTS
from models.renewal.leases import Lease, claim
from models.renewal.writes import BeginAttempt, EndRenewal, StoreAnswer, Write
from tests.models.races import race_threads
from tests.models.rows import finish_renewal, grant, stored_connection
from tests.models.times import MINUTE, NOW

pytestmark = pytest.mark.usefixtures("held")
UNTIL = NOW + MINUTE
LATER = UNTIL + MINUTE


def leased(count: int) -> list[Lease]:
    """Store that many connections and lease them."""
    rows = [stored_connection(f"account-{number}") for number in range(count)]
    leases = [claim(row.id, NOW, UNTIL) for row in rows]
    return [lease for lease in leases if lease is not None]


def row_of(lease: Lease) -> TAB_CONNECTIONS:
    row: TAB_CONNECTIONS = TAB_CONNECTIONS.get_by_id(lease.connection_id)
    return row


def list_journal() -> set[str]:
    return {row.connection_id for row in TAB_ATTEMPTS.select()}


def event(kind: str) -> dict[str, Any]:
    return TAB_EVENTS.build_row(
        kind,
        app="default",
        key_id=None,
        provider=None,
        connection_id=None,
        subject=None,
        detail={"a": 1},
        is_delivered=False,
        now=NOW,
    )


def test_a_first_attempt_prolongs_the_lease_and_is_recorded() -> None:
    (lease,) = leased(1)

    attempt = begin_first_attempt(lease, LATER, "digest", NOW)

    assert attempt is not None
    assert (attempt.lease.until, attempt.tries, attempt.answered) == (LATER, 1, None)
    assert row_of(lease).lease_until == LATER
    assert list_journal() == {lease.connection_id}


def test_the_same_lease_begins_once() -> None:
    (lease,) = leased(1)

    begun = race_threads(8, lambda _: _begun(lease))

    assert begun.count("begun") == 1
    assert set(begun) == {"begun", "lost"}


def _begun(lease: Lease) -> str:
    return "lost" if begin_first_attempt(lease, LATER, "digest", NOW) is None else "begun"


def test_a_first_attempt_after_an_earlier_one_writes_nothing() -> None:
    (lease,) = leased(1)
    with transaction():
        TAB_ATTEMPTS.record(lease.connection_id, 1, "digest of the earlier", NOW)

    assert begin_first_attempt(lease, LATER, "digest", NOW) is None

    assert row_of(lease).lease_until == UNTIL
    assert TAB_ATTEMPTS.get_by_id(lease.connection_id).token_digest == "digest of the earlier"


def test_attempts_that_begin_in_one_group_have_outcomes_of_their_own() -> None:
    # Given leases of which one is lost, and one has been tried before
    fine, lost, tried, other = leased(4)
    lost = Lease(lost.connection_id, lost.version, UNTIL + timedelta(seconds=1))
    with transaction():
        TAB_ATTEMPTS.record(tried.connection_id, 1, "digest of the earlier", NOW)

    # When they are written by one transaction
    outcomes = perform(*map(beginning, (fine, lost, tried, other)))

    # Then each has its own outcome
    assert outcomes == [True, False, False, True]
    ends = [row_of(lease).lease_until for lease in (fine, lost, tried, other)]
    assert ends == [LATER, UNTIL, UNTIL, LATER]


def perform(*writes: Write) -> list[bool]:
    """Make writes as if they had come while another one was under way."""
    with transaction():
        return perform_writes(writes)


def beginning(lease: Lease) -> Write:
    key = (lease.connection_id, lease.version)
    return BeginAttempt(key, lease.until, LATER, "digest", NOW)


def ending(lease: Lease, kind: str) -> Write:
    columns = {
        "lease_until": None,
        "status": "active",
        "reason": None,
        "failures": 0,
        **TAB_CONNECTIONS.build_grant_columns(
            lease.connection_id, lease.version, grant("new", "newer"), NOW
        ),
    }
    return EndRenewal((lease.connection_id, lease.version), columns, [event(kind)])


@pytest.mark.parametrize("misses", [0, 1], ids=["all_find_their_rows", "one_misses_its_row"])
def test_writes_of_all_kinds_share_a_group(misses: int) -> None:
    # Given renewals that stand at different places
    first, asked, answered, other = leased(4)
    for lease in (asked, answered):
        begin_first_attempt(lease, LATER, "digest", NOW)

    # When each goes one step on, by one transaction
    outcomes = perform(
        ending(answered, "done"),
        beginning(first),
        StoreAnswer((asked.connection_id, asked.version), b"\0sealed"),
        *[StoreAnswer((other.connection_id, 7), b"of another version")] * misses,
    )

    # Then each step is made
    assert outcomes == [True] * 3 + [False] * misses
    answers = {row.connection_id: row.answer for row in TAB_ATTEMPTS.select()}
    assert [row.kind for row in TAB_EVENTS.select()] == ["done"]
    assert {name: it and bytes(it) for name, it in answers.items()} == {
        first.connection_id: None,
        asked.connection_id: b"\0sealed",
    }
    assert token_of(answered, "access_token") == "new"


def test_writes_to_one_connection_in_one_group_are_made_in_turn() -> None:
    (lease,) = leased(1)

    assert perform(beginning(lease), beginning(lease), ending(lease, "done")) == [True, False, True]

    assert row_of(lease).version == 2
    assert list_journal() == set()


def test_renewals_that_end_in_one_group_have_outcomes_of_their_own() -> None:
    # Given renewals of which one brought no refresh token, and one was overtaken
    fine, kept, late = leased(3)
    for lease in (fine, kept, late):
        begin_first_attempt(lease, LATER, "digest", NOW)
    TAB_CONNECTIONS.update(version=2).where(TAB_CONNECTIONS.id == late.connection_id).execute()
    grants = {fine: grant("new", "newer"), kept: grant("new", None), late: grant("late", "late")}

    # When all of them end at the same time
    def finish(number: int) -> bool:
        lease = (fine, kept, late)[number]
        return finish_renewal(lease, grants[lease], NOW, [event(f"of-{number}")])

    assert race_threads(3, finish) == [True, True, False]

    # Then each is stored with its event, but for the one that was overtaken
    assert [token_of(lease, "access_token") for lease in (fine, kept, late)] == [
        *("new", "new"),
        "access",
    ]
    assert [token_of(lease, "refresh_token") for lease in (fine, kept, late)] == [
        *("newer", "refresh"),
        "refresh",
    ]
    assert [row_of(lease).version for lease in (fine, kept, late)] == [2, 2, 2]
    reported = {row.kind: row.detail for row in TAB_EVENTS.select()}
    assert reported == {"of-0": {"a": 1}, "of-1": {"a": 1}}
    assert list_journal() == set()


def token_of(lease: Lease, name: str) -> str:
    secret = getattr(TAB_CONNECTIONS, name).open(row_of(lease))
    return str(secret.reveal())
