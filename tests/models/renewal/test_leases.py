"""Tests of holding a lease: it fences off every later holder, and loses no grant."""

from __future__ import annotations

from datetime import timedelta

import pytest

from catfeeder.sealing import Secret
from models.oauth.connections import TAB_CONNECTIONS, ConnectionStatus
from models.renewal.leases import (
    Lease,
    claim,
    extend,
    find_leased,
    postpone_renewal,
    require_reauthorization,
)
from tests.models.rows import finish_renewal, grant, stored_connection
from tests.models.times import MINUTE, NOW

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
