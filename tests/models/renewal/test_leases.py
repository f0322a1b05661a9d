"""Tests of holding a lease: it fences off every later holder, and loses no grant."""

from __future__ import annotations

from datetime import timedelta

import pytest

from catfeeder.sealing import Secret
from models.oauth.connections import TAB_CONNECTIONS, ConnectionStatus
from models.renewal.leases import (
    Lease,
    claim,
    claim_due,
    extend,
    find_leased,
    postpone_renewal,
    require_reauthorization,
)
from tests.models.rows import finish_renewal, grant, stored_connection
from tests.models.times import MINUTE, NOW, SECOND

pytestmark = pytest.mark.usefixtures("held")
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


# -- Beginning


def test_a_lease_delivered_twice_begins_once() -> None:
    lease = leased_connection()

    # When the message with the lease is delivered twice, be it in the same moment
    first, second = extend(lease, UNTIL), extend(lease, UNTIL)

    # Then the second delivery finds the lease taken
    assert first is not None
    assert second is None
    assert first.until > lease.until
    assert find_leased(first) == reread(lease)


def test_a_lease_that_ran_out_and_was_claimed_anew_does_not_begin() -> None:
    lost = leased_connection()
    held = claim(lost.connection_id, UNTIL, UNTIL + MINUTE)

    assert held is not None
    assert extend(lost, UNTIL + HOUR) is None
    assert extend(held, UNTIL + HOUR) is not None


def test_a_lease_on_what_was_renewed_or_erased_since_finds_nothing() -> None:
    lease = leased_connection()
    stored_connection(grant=grant("access-of-a-new-sign-in"))

    assert find_leased(lease) is None
    assert extend(lease, UNTIL + MINUTE) is None

    TAB_CONNECTIONS.erase(lease.connection_id)
    assert find_leased(lease) is None


# -- Ending


def test_a_renewal_is_stored_and_gives_the_lease_back() -> None:
    later = NOW + 5 * SECOND
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
    lease = leased_connection()
    finish_renewal(lease, grant("access-2", refresh_token=None), NOW)

    assert TAB_CONNECTIONS.refresh_token.open(reread(lease)) == Secret("refresh")


def test_of_two_renewals_of_one_version_the_first_to_end_is_kept() -> None:
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
    slow = leased_connection()
    other = claim(slow.connection_id, UNTIL, UNTIL + MINUTE)
    assert other is not None
    assert require_reauthorization(other, "invalid_grant", UNTIL)

    assert finish_renewal(slow, grant("access-slow", renew_at=UNTIL + HOUR), UNTIL)

    row = reread(slow)
    assert (row.status, row.reason, row.renew_at) == (ConnectionStatus.ACTIVE, None, UNTIL + HOUR)


def test_a_renewal_does_not_overwrite_a_new_sign_in() -> None:
    lease = leased_connection()
    stored_connection(grant=grant("access-of-a-new-sign-in"))

    assert not finish_renewal(lease, grant("access-late"), NOW)
    assert not postpone_renewal(lease, "busy", NOW + HOUR, NOW)
    assert not require_reauthorization(lease, "gone", NOW)

    row = reread(lease)
    assert TAB_CONNECTIONS.access_token.open(row) == Secret("access-of-a-new-sign-in")
    assert row.status == ConnectionStatus.ACTIVE


def test_a_failure_that_may_pass_is_counted_and_tried_again_later() -> None:
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
    lease = leased_connection()

    assert require_reauthorization(lease, "The grant is gone.", NOW)

    row = reread(lease)
    assert (row.status, row.reason) == ("reauthorization_required", "The grant is gone.")
    assert (row.renew_at, row.lease_until) == (None, None)
    assert claim_due("google", NOW + timedelta(days=365), NOW + timedelta(days=366), limit=1) == []


@pytest.mark.parametrize("failing", [postpone_renewal, require_reauthorization])
def test_a_lost_lease_records_no_failure(failing: object) -> None:
    lost = leased_connection()
    held = claim(lost.connection_id, UNTIL, UNTIL + MINUTE)

    if failing is postpone_renewal:
        assert not postpone_renewal(lost, "too slow", UNTIL + HOUR, UNTIL)
    else:
        assert not require_reauthorization(lost, "too slow", UNTIL)

    # And the holder's lease stays in force
    assert held is not None
    assert reread(lost).lease_until == held.until
