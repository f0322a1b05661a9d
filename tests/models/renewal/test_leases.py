"""Tests of leases: nobody else renews what somebody renews, and what was renewed is not lost."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from catfeeder.sealing import Secret
from config import Settings
from models.db.database import database as the_database
from models.db.database import hold_connection, transaction
from models.oauth.connections import TAB_CONNECTIONS, ConnectionStatus
from models.renewal.grouped_writes import finish_renewal
from models.renewal.leases import (
    Lease,
    claim,
    claim_due,
    extend,
    find_leased,
    postpone_renewal,
    require_reauthorization,
)
from tests.models.races import race_processes, race_threads
from tests.models.rows import grant, stored_connection
from tests.models.times import MINUTE, NOW, SECOND

pytestmark = pytest.mark.usefixtures("database")
UNTIL = NOW + MINUTE
HOUR = timedelta(hours=1)


def due_connection(account: str = "account-1") -> TAB_CONNECTIONS:
    return stored_connection(account, grant=grant(renew_at=NOW, expires_at=NOW + HOUR))


def leased_connection() -> Lease:
    lease = claim(due_connection().id, NOW, UNTIL)
    assert lease is not None
    return lease


def reread(lease: Lease) -> TAB_CONNECTIONS:
    row: TAB_CONNECTIONS = TAB_CONNECTIONS.get_by_id(lease.connection_id)
    return row


# -- Claiming


def test_what_is_due_is_claimed_the_longest_due_first() -> None:
    with hold_connection():
        for number in range(5):
            renew_at = NOW - number * SECOND
            stored_connection(f"account-{number}", grant=grant(renew_at=renew_at))

        claimed = claim_due("google", NOW, UNTIL, limit=3)

        accounts = [reread(lease).provider_subject for lease in claimed]
    assert accounts == ["account-4", "account-3", "account-2"]
    assert {(lease.version, lease.until) for lease in claimed} == {(1, UNTIL)}


def test_what_is_not_due_is_left_alone() -> None:
    with hold_connection():
        stored_connection("later", grant=grant(renew_at=NOW + SECOND))
        stored_connection("never", grant=grant(renew_at=None))

        assert claim_due("google", NOW, UNTIL, limit=10) == []


def test_what_is_leased_is_not_claimed_until_the_lease_runs_out() -> None:
    with hold_connection():
        lease = leased_connection()

        assert claim_due("google", UNTIL - SECOND, UNTIL + MINUTE, limit=10) == []
        assert claim(lease.connection_id, UNTIL - SECOND, UNTIL + MINUTE) is None
        assert len(claim_due("google", UNTIL, UNTIL + MINUTE, limit=10)) == 1


def test_a_connection_may_be_claimed_before_it_is_due() -> None:
    with hold_connection():
        row = stored_connection(grant=grant(renew_at=NOW + HOUR))

        assert claim(row.id, NOW, UNTIL) == Lease(row.id, 1, UNTIL)
        assert claim("no-such-connection", NOW, UNTIL) is None


def test_threads_that_claim_at_once_never_get_the_same_connection() -> None:
    with hold_connection():
        for number in range(40):
            due_connection(f"account-{number}")

    claimed = race_threads(4, lambda _: claim_in_turn(7))

    ids = [connection_id for some in claimed for connection_id in some]
    assert len(ids) == len(set(ids)) == 40


def test_of_threads_that_claim_one_connection_one_gets_it() -> None:
    with hold_connection():
        ids = [due_connection(f"account-{number}").id for number in range(20)]

    for connection_id in ids:
        leases = race_threads(4, lambda _, wanted: claim(wanted, NOW, UNTIL), connection_id)

        assert sum(lease is not None for lease in leases) == 1


def claim_in_turn(limit: int) -> list[str]:
    """Claim batch by batch, as one of several sweeps does."""
    ids: list[str] = []
    for _ in range(30):
        with hold_connection():
            ids += [lease.connection_id for lease in claim_due("google", NOW, UNTIL, limit)]
    return ids


def test_processes_that_claim_at_once_never_get_the_same_connection(tables: Settings) -> None:
    with hold_connection():
        for number in range(100):
            due_connection(f"account-{number}")

    claimed = race_processes(2, tables, claim_in_turn, 10)

    ids = [connection_id for some in claimed for connection_id in some]
    assert len(ids) == len(set(ids)) == 100


def test_a_sweep_passes_over_what_another_is_claiming() -> None:
    # Given a sweep that has claimed and not committed yet
    claimed, may_end = threading.Event(), threading.Event()
    with hold_connection():
        for number in range(5):
            due_connection(f"account-{number}")

    def claim_slowly() -> None:
        with transaction():
            claim_due("google", NOW, UNTIL, limit=2)
            claimed.set()
            may_end.wait(60)

    slow = threading.Thread(target=claim_slowly)
    slow.start()
    assert claimed.wait(30)

    # When another one claims; on SQLite it would wait for the first to end
    if not the_database.for_update:
        may_end.set()
    with hold_connection():
        others = claim_due("google", NOW, UNTIL, limit=10)

    # Then it has the rest, and at once
    assert len(others) == 3
    assert slow.is_alive() or not the_database.for_update
    may_end.set()
    slow.join()


# -- Beginning with what was leased


def test_a_lease_delivered_twice_begins_once() -> None:
    with hold_connection():
        lease = leased_connection()

        # When the message with the lease is delivered twice, be it in the same moment
        first, second = extend(lease, UNTIL), extend(lease, UNTIL)

        # Then the second delivery finds that somebody was there before
        assert first is not None
        assert second is None
        assert first.until > lease.until
        assert find_leased(first) == reread(lease)


def test_a_lease_that_ran_out_and_was_claimed_anew_does_not_begin() -> None:
    with hold_connection():
        lost = leased_connection()
        held = claim(lost.connection_id, UNTIL, UNTIL + MINUTE)

        assert held is not None
        assert extend(lost, UNTIL + HOUR) is None
        assert extend(held, UNTIL + HOUR) is not None


def test_a_lease_on_what_was_renewed_or_erased_since_finds_nothing() -> None:
    with hold_connection():
        lease = leased_connection()
        stored_connection(grant=grant("access-of-a-new-sign-in"))

        assert find_leased(lease) is None
        assert extend(lease, UNTIL + MINUTE) is None

        TAB_CONNECTIONS.erase(lease.connection_id)
        assert find_leased(lease) is None


# -- Ending


def test_a_renewal_is_stored_and_gives_the_lease_back() -> None:
    later = NOW + 5 * SECOND
    with hold_connection():
        lease = leased_connection()
        new = grant("access-2", "refresh-2", expires_at=later + HOUR, renew_at=later + HOUR / 2)

        assert finish_renewal(lease, new, later)

        row = reread(lease)
    assert TAB_CONNECTIONS.access_token.open(row) == Secret("access-2")
    assert TAB_CONNECTIONS.refresh_token.open(row) == Secret("refresh-2")
    assert (row.expires_at, row.renew_at) == (later + HOUR, later + HOUR / 2)
    assert (row.status, row.failures, row.lease_until) == (ConnectionStatus.ACTIVE, 0, None)
    assert (row.version, row.updated_at) == (2, later)


def test_a_renewal_without_a_new_refresh_token_keeps_the_old_one() -> None:
    with hold_connection():
        lease = leased_connection()
        finish_renewal(lease, grant("access-2", refresh_token=None), NOW)

        assert TAB_CONNECTIONS.refresh_token.open(reread(lease)) == Secret("refresh")


def test_of_two_renewals_of_one_version_the_first_to_end_is_kept() -> None:
    with hold_connection():
        # Given a renewal that outlived its lease, and another that has begun since
        slow = leased_connection()
        fast = claim(slow.connection_id, UNTIL, UNTIL + MINUTE)
        assert fast is not None

        # When both end
        assert finish_renewal(fast, grant("access-fast"), UNTIL)
        assert not finish_renewal(slow, grant("access-slow"), UNTIL)

        # Then the token is that of the first
        assert TAB_CONNECTIONS.access_token.open(reread(slow)) == Secret("access-fast")


def test_a_renewal_that_outlived_its_lease_is_not_lost() -> None:
    # A provider that rotates refresh tokens honours the new one alone: to drop it is to sign the
    # user out.
    with hold_connection():
        # Given a renewal that outlived its lease, and another, still at it
        slow = leased_connection()
        other = claim(slow.connection_id, UNTIL, UNTIL + MINUTE)
        assert other is not None

        # When the slow one succeeds
        assert finish_renewal(slow, grant("access-slow", "refresh-slow"), UNTIL)

        # Then its grant counts, and the other's failure, caused by it, does not
        assert not require_reauthorization(other, "invalid_grant", UNTIL)
        assert reread(slow).status == ConnectionStatus.ACTIVE


def test_a_renewal_that_succeeds_after_another_was_refused_brings_the_connection_back() -> None:
    with hold_connection():
        slow = leased_connection()
        other = claim(slow.connection_id, UNTIL, UNTIL + MINUTE)
        assert other is not None
        assert require_reauthorization(other, "invalid_grant", UNTIL)

        assert finish_renewal(slow, grant("access-slow", renew_at=UNTIL + HOUR), UNTIL)

        row = reread(slow)
    assert (row.status, row.reason, row.renew_at) == (ConnectionStatus.ACTIVE, None, UNTIL + HOUR)


def test_a_renewal_does_not_overwrite_a_new_sign_in() -> None:
    with hold_connection():
        lease = leased_connection()
        stored_connection(grant=grant("access-of-a-new-sign-in"))

        assert not finish_renewal(lease, grant("access-late"), NOW)
        assert not postpone_renewal(lease, "busy", NOW + HOUR, NOW)
        assert not require_reauthorization(lease, "gone", NOW)

        row = reread(lease)
    assert TAB_CONNECTIONS.access_token.open(row) == Secret("access-of-a-new-sign-in")
    assert row.status == ConnectionStatus.ACTIVE


def test_a_failure_that_may_pass_is_counted_and_tried_again_later() -> None:
    with hold_connection():
        lease = leased_connection()

        assert postpone_renewal(lease, "The provider did not answer.", NOW + MINUTE, NOW + SECOND)

        row = reread(lease)
        assert (row.status, row.failures) == (ConnectionStatus.RENEWAL_FAILING, 1)
        assert row.reason == "The provider did not answer."
        assert (row.renew_at, row.lease_until) == (NOW + MINUTE, None)
        # And the token is still there to be used
        assert TAB_CONNECTIONS.access_token.open(row) == Secret("access")
        assert row.version == lease.version

        again = claim_due("google", NOW + MINUTE, NOW + HOUR, limit=1)[0]
        postpone_renewal(again, "Still not.", NOW + HOUR, NOW + MINUTE)
        assert reread(lease).failures == 2


def test_a_grant_that_is_gone_is_never_due_again() -> None:
    with hold_connection():
        lease = leased_connection()

        assert require_reauthorization(lease, "The grant is gone.", NOW)

        row = reread(lease)
        assert (row.status, row.reason) == ("reauthorization_required", "The grant is gone.")
        assert (row.renew_at, row.lease_until) == (None, None)
        assert (
            claim_due("google", NOW + timedelta(days=365), NOW + timedelta(days=366), limit=1) == []
        )


@pytest.mark.parametrize("failing", [postpone_renewal, require_reauthorization])
def test_who_has_lost_the_lease_cannot_record_a_failure(failing: object) -> None:
    with hold_connection():
        lost = leased_connection()
        held = claim(lost.connection_id, UNTIL, UNTIL + MINUTE)

        if failing is postpone_renewal:
            assert not postpone_renewal(lost, "too slow", UNTIL + HOUR, UNTIL)
        else:
            assert not require_reauthorization(lost, "too slow", UNTIL)

        # And the holder's lease still keeps everybody else away
        assert held is not None
        assert reread(lost).lease_until == held.until
