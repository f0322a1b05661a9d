"""Tests of the writes of a renewal that goes well: alone or together, each under its own lease."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from models.db.database import hold_connection, transaction
from models.events import TAB_EVENTS
from models.oauth.connections import TAB_CONNECTIONS
from models.renewal.grouped_writes import (
    BeginAttempt,
    EndRenewal,
    StoreAnswer,
    Write,
    begin_first_attempt,
    finish_renewal,
    perform_writes,
)
from models.renewal.journal import TAB_ATTEMPTS
from models.renewal.leases import Lease, claim
from tests.models.races import race_threads
from tests.models.rows import grant, stored_connection
from tests.models.times import MINUTE, NOW

pytestmark = pytest.mark.usefixtures("database")
UNTIL = NOW + MINUTE
LATER = UNTIL + MINUTE


def leased(count: int) -> list[Lease]:
    """Store that many connections and lease them."""
    with hold_connection():
        rows = [stored_connection(f"account-{number}") for number in range(count)]
        leases = [claim(row.id, NOW, UNTIL) for row in rows]
    return [lease for lease in leases if lease is not None]


def row_of(lease: Lease) -> TAB_CONNECTIONS:
    with hold_connection():
        row: TAB_CONNECTIONS = TAB_CONNECTIONS.get_by_id(lease.connection_id)
    return row


def journaled() -> set[str]:
    with hold_connection():
        return {row.connection_id for row in TAB_ATTEMPTS.select()}


def event(kind: str) -> dict[str, Any]:
    return TAB_EVENTS.build_row(
        kind,
        key_id=None,
        provider=None,
        connection_id=None,
        subject=None,
        detail={"a": 1},
        is_delivered=False,
        now=NOW,
    )


def test_a_first_try_prolongs_the_lease_and_is_written_down() -> None:
    (lease,) = leased(1)

    attempt = begin_first_attempt(lease, LATER, "digest", NOW)

    assert attempt is not None
    assert (attempt.lease.until, attempt.tries, attempt.answered) == (LATER, 1, None)
    assert row_of(lease).lease_until == LATER
    assert journaled() == {lease.connection_id}


def test_the_same_lease_begins_once() -> None:
    (lease,) = leased(1)

    begun = race_threads(8, lambda _: _begun(lease))

    assert begun.count("begun") == 1
    assert set(begun) == {"begun", "lost"}


def _begun(lease: Lease) -> str:
    return "lost" if begin_first_attempt(lease, LATER, "digest", NOW) is None else "begun"


def test_after_an_earlier_try_nothing_is_done() -> None:
    (lease,) = leased(1)
    with transaction():
        TAB_ATTEMPTS.record(lease.connection_id, 1, "digest of the earlier", NOW)

    assert begin_first_attempt(lease, LATER, "digest", NOW) is None

    assert row_of(lease).lease_until == UNTIL
    with hold_connection():
        assert TAB_ATTEMPTS.get_by_id(lease.connection_id).token_digest == "digest of the earlier"


def test_beginnings_that_come_together_are_told_apart() -> None:
    # Given leases of which one is lost, and one has been tried before
    fine, lost, tried, other = leased(4)
    lost = Lease(lost.connection_id, lost.version, UNTIL + timedelta(seconds=1))
    with transaction():
        TAB_ATTEMPTS.record(tried.connection_id, 1, "digest of the earlier", NOW)

    # When they are written by one transaction
    outcomes = made(*map(beginning, (fine, lost, tried, other)))

    # Then each has its own outcome
    assert outcomes == [True, False, False, True]
    ends = [row_of(lease).lease_until for lease in (fine, lost, tried, other)]
    assert ends == [LATER, UNTIL, UNTIL, LATER]


def made(*writes: Write) -> list[bool]:
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


def test_writes_of_all_kinds_come_together() -> None:
    # Given renewals that stand at different places
    first, asked, answered = leased(3)
    for lease in (asked, answered):
        begin_first_attempt(lease, LATER, "digest", NOW)

    # When each goes one step on, by one transaction
    outcomes = made(
        ending(answered, "done"),
        beginning(first),
        StoreAnswer((asked.connection_id, asked.version), b"\0sealed"),
        StoreAnswer((first.connection_id, 7), b"of another version"),
    )

    # Then each step is made
    assert outcomes == [True, True, True, False]
    with hold_connection():
        answers = {row.connection_id: row.answer for row in TAB_ATTEMPTS.select()}
        assert [row.kind for row in TAB_EVENTS.select()] == ["done"]
    assert {name: it and bytes(it) for name, it in answers.items()} == {
        first.connection_id: None,
        asked.connection_id: b"\0sealed",
    }
    assert token_of(answered, "access_token") == "new"


def test_writes_to_one_connection_that_come_together_follow_one_another() -> None:
    (lease,) = leased(1)

    assert made(beginning(lease), beginning(lease), ending(lease, "done")) == [True, False, True]

    assert row_of(lease).version == 2
    assert journaled() == set()


def test_endings_that_come_together_are_told_apart() -> None:
    # Given renewals of which one brought no refresh token, and one was overtaken
    fine, kept, late = leased(3)
    for lease in (fine, kept, late):
        begin_first_attempt(lease, LATER, "digest", NOW)
    with hold_connection():
        TAB_CONNECTIONS.update(version=2).where(TAB_CONNECTIONS.id == late.connection_id).execute()
    grants = {fine: grant("new", "newer"), kept: grant("new", None), late: grant("late", "late")}

    # When all of them end at the same time
    def finish(number: int) -> bool:
        lease = (fine, kept, late)[number]
        return finish_renewal(lease, grants[lease], NOW, [event(f"of-{number}")])

    assert race_threads(3, finish) == [True, True, False]

    # Then each is stored and told of, but for the one that was overtaken
    assert [token_of(lease, "access_token") for lease in (fine, kept, late)] == [
        *("new", "new"),
        "access",
    ]
    assert [token_of(lease, "refresh_token") for lease in (fine, kept, late)] == [
        *("newer", "refresh"),
        "refresh",
    ]
    assert [row_of(lease).version for lease in (fine, kept, late)] == [2, 2, 2]
    with hold_connection():
        told = {row.kind: row.detail for row in TAB_EVENTS.select()}
    assert told == {"of-0": {"a": 1}, "of-1": {"a": 1}}
    assert journaled() == set()


def token_of(lease: Lease, name: str) -> str:
    secret = getattr(TAB_CONNECTIONS, name).open(row_of(lease))
    return str(secret.reveal())
