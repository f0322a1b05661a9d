"""Tests of the journal of renewals: written with the lease, sealed, gone with its connection."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from catfeeder.errors import SealBroken
from catfeeder.sealing import Secret
from config import Settings
from models.db.database import hold_connection, transaction
from models.oauth.connections import TAB_CONNECTIONS
from models.renewal.grouped_writes import write_answer
from models.renewal.interrupted import (
    erase_stale_attempts,
    import_answer,
    list_interrupted_renewals,
)
from models.renewal.journal import (
    TAB_ATTEMPTS,
    Attempt,
    begin_renewal,
    begin_retry,
    claim_unstarted,
    digest_token,
    seal_answer,
)
from models.renewal.leases import Lease, claim, extend, require_reauthorization
from models.sealing.resealing import count_outdated, reseal_all
from tests.models.races import race_threads
from tests.models.reopening import reopened
from tests.models.rotation import completed, rotated
from tests.models.rows import grant, stored_connection
from tests.models.times import MINUTE, NOW, SECOND

pytestmark = pytest.mark.usefixtures("held")
UNTIL = NOW + MINUTE
DIGESTS = ["digest-of-the-token"]
ANSWER = Secret('{"status": 200}\n{"access_token": "new"}')


def begun(connection_id: str, digests: list[str] = DIGESTS, at: int = 0) -> Attempt:
    """Begin a renewal of a connection, that many minutes later."""
    now = NOW + at * MINUTE
    lease = claim(connection_id, now, now + MINUTE)
    assert lease is not None
    with transaction():
        attempt = begin_renewal(lease, now + MINUTE, digests, now)
    assert attempt is not None
    return attempt


def keep(connection_id: str, answer: Secret = ANSWER) -> None:
    """Write an answer to version 1 into the journal."""
    assert write_answer(connection_id, 1, seal_answer(connection_id, answer))


def row_of(connection_id: str) -> TAB_ATTEMPTS:
    """Return the journal's row of a connection."""
    row = TAB_ATTEMPTS.find(connection_id)
    assert row is not None
    return row


# -- Beginning


def test_a_renewal_is_written_down_before_it_is_sent() -> None:
    connection = stored_connection()

    attempt = begun(connection.id)

    row = row_of(connection.id)
    assert (attempt.tries, attempt.is_retry, attempt.answered) == (1, False, None)
    assert (row.version, row.token_digest, row.tries) == (1, DIGESTS[0], 1)
    assert (row.started_at, row.answer) == (NOW, None)


def test_a_lease_that_was_lost_leaves_nothing_in_the_journal() -> None:
    connection = stored_connection()
    lost = claim(connection.id, NOW, UNTIL)
    assert lost is not None
    assert extend(lost, UNTIL)

    with transaction():
        assert begin_renewal(lost, UNTIL, DIGESTS, NOW) is None

    assert TAB_ATTEMPTS.find(connection.id) is None


def test_an_interrupted_renewal_is_a_retry_the_next_time() -> None:
    connection = stored_connection()
    begun(connection.id)

    again = begun(connection.id, at=2)

    assert (again.tries, again.is_retry, again.answered) == (2, True, None)
    assert row_of(connection.id).started_at == NOW + 2 * MINUTE
    assert begun(connection.id, at=4).tries == 3


def test_another_token_is_sent_for_the_first_time() -> None:
    # Given an attempt whose connection was brought back from a backup since
    connection = stored_connection()
    begun(connection.id)
    assert not begun(connection.id, ["digest-of-another"], at=2).is_retry

    # Or has had a new sign-in
    stored_connection(grant=grant("access-2", "refresh-2"))
    keep(connection.id)
    attempt = begun(connection.id, at=4)
    assert (attempt.is_retry, attempt.answered) == (False, None)
    row = row_of(connection.id)
    assert (row.version, row.answer) == (2, None)


def test_an_answer_that_was_kept_is_what_the_next_one_begins_with() -> None:
    connection = stored_connection()
    begun(connection.id)
    keep(connection.id)

    attempt = begun(connection.id, at=2)

    assert attempt.answered is not None
    assert TAB_ATTEMPTS.answer.open(attempt.answered) == ANSWER
    # Counted from when it was asked for
    assert attempt.started_at == NOW
    # And an answer that cannot be read leads to one more try
    again = begin_retry(attempt.lease, attempt.answered, DIGESTS, NOW + 2 * MINUTE)
    assert (again.tries, row_of(connection.id).answer) == (2, None)


# -- What was cut off


def test_interrupted_renewals_are_listed_once_their_lease_has_run_out() -> None:
    cut_off = stored_connection("cut-off")
    begun(cut_off.id)
    waiting = stored_connection("waiting-in-a-queue")
    claim(waiting.id, NOW, UNTIL)
    stored_connection("at-rest")

    assert list_interrupted_renewals(UNTIL - SECOND, 10) == []
    assert list_interrupted_renewals(UNTIL + SECOND, 10) == [cut_off.id]
    assert list_interrupted_renewals(UNTIL + SECOND, 0) == []


def test_an_answer_brings_back_a_connection_that_was_given_up() -> None:
    connection = stored_connection()
    attempt = begun(connection.id)
    assert require_reauthorization(attempt.lease, "gone", NOW)
    TAB_ATTEMPTS.end(connection.id, 1)
    assert list_interrupted_renewals(UNTIL + SECOND, 10) == []

    with transaction():
        import_answer(connection.id, 1, seal_answer(connection.id, ANSWER), NOW)

    assert list_interrupted_renewals(NOW, 10) == [connection.id]


@pytest.mark.parametrize("lease_ran_out", [False, True], ids=["unleased", "lease-ran-out"])
def test_an_attempt_for_an_older_version_interrupts_nothing(lease_ran_out: bool) -> None:
    # Given an unclear answer that was kept for version 1
    connection = stored_connection()
    begun(connection.id)
    keep(connection.id)
    # And a sign-in since then, with a token that never ends
    stored_connection(grant=grant("access-2", None))
    if lease_ran_out:
        assert claim(connection.id, NOW, UNTIL) is not None

    assert list_interrupted_renewals(UNTIL + SECOND, 10) == []


def test_stale_attempts_are_erased_with_the_answers_that_they_hold() -> None:
    # Given attempts for the grants before those of today, one of them under a lease
    rows = [stored_connection(name) for name in ("stale", "leased", "current")]
    for row in rows:
        begun(row.id)
    stored_connection("stale", grant=grant("access-2"))
    stored_connection("leased", grant=grant("access-2"))
    assert claim(rows[1].id, NOW, UNTIL) is not None

    assert erase_stale_attempts() == 1

    assert {row.connection_id for row in TAB_ATTEMPTS.select()} == {rows[1].id, rows[2].id}


def test_an_answer_for_an_older_version_or_no_connection_is_discarded() -> None:
    connection = stored_connection()
    stored_connection(grant=grant("access-2"))
    sealed = seal_answer(connection.id, ANSWER)

    with transaction():
        import_answer(connection.id, 1, sealed, NOW)
        import_answer("00000000-0000-4000-8000-000000000000", 1, sealed, NOW)

    assert list(TAB_ATTEMPTS.select()) == []


# -- Claiming at once


def test_a_lease_that_waits_in_a_queue_is_taken_over_and_one_that_began_is_not() -> None:
    connection = stored_connection()
    waiting = claim(connection.id, NOW, UNTIL)
    assert waiting is not None

    # Given a lease whose message waits in a queue
    mine = claim_unstarted(connection.id, 1, NOW, UNTIL)
    # Then it is replaced, and the message finds it lost
    assert mine is not None
    assert mine != waiting
    with transaction():
        assert begin_renewal(waiting, UNTIL, DIGESTS, NOW) is None
        assert begin_renewal(mine, UNTIL, DIGESTS, NOW) is not None
    # And a renewal that has begun is not taken over until its lease has run out
    assert claim_unstarted(connection.id, 1, NOW, UNTIL) is None
    assert claim_unstarted(connection.id, 1, UNTIL + SECOND, UNTIL + MINUTE) is not None


def test_only_the_version_that_was_asked_for_is_claimed() -> None:
    connection = stored_connection()

    assert claim_unstarted(connection.id, 2, NOW, UNTIL) is None
    assert claim_unstarted("no-such-connection", 1, NOW, UNTIL) is None
    assert claim_unstarted(connection.id, 1, NOW, UNTIL) == Lease(connection.id, 1, UNTIL)


def test_of_threads_that_claim_and_begin_at_once_one_gets_through() -> None:
    ids = [stored_connection(f"account-{number}").id for number in range(10)]

    def contend(_number: int, connection_id: str) -> bool:
        lease = claim_unstarted(connection_id, 1, NOW, UNTIL)
        if lease is None:
            return False
        with transaction():
            return begin_renewal(lease, UNTIL, DIGESTS, NOW) is not None

    for connection_id in ids:
        assert sum(race_threads(4, contend, connection_id)) == 1


# -- Sealed


def test_an_answer_is_bound_to_its_connection() -> None:
    first, second = stored_connection("first"), stored_connection("second")
    begun(first.id)
    begun(second.id)
    keep(first.id)
    assert b"access_token" not in bytes(row_of(first.id).answer)

    TAB_ATTEMPTS.update(answer=row_of(first.id).answer).where(
        TAB_ATTEMPTS.connection_id == second.id
    ).execute()

    with pytest.raises(SealBroken):
        TAB_ATTEMPTS.answer.open(row_of(second.id))


def test_an_answer_is_sealed_anew_with_the_rest(database: Settings) -> None:
    connection = stored_connection()
    begun(connection.id)
    keep(connection.id)

    with reopened(rotated(database)), hold_connection():
        # The row of the default app is one more.
        assert sum(batch.done for batch in reseal_all(10)) == 3
        assert count_outdated() == 0
    with reopened(completed(rotated(database))), hold_connection():
        assert TAB_ATTEMPTS.answer.open(row_of(connection.id)) == ANSWER


def test_a_digest_identifies_a_token_and_reveals_nothing_else() -> None:
    [digest] = digest_token(Secret("token"))

    assert digest == digest_token(Secret("token"))[0]
    assert digest != digest_token(Secret("another"))[0]
    assert "token" not in digest


# -- Gone with its connection


def erase_one(connection_id: str) -> None:
    """Erase a connection that its user has ended."""
    assert TAB_CONNECTIONS.erase(connection_id)


def erase_all_dead(_connection_id: str) -> None:
    """Erase connections that have long been dead."""
    assert TAB_CONNECTIONS.erase_dead(NOW + timedelta(days=1)) == 1


@pytest.mark.parametrize("erase", [erase_one, erase_all_dead])
def test_an_attempt_goes_with_its_connection(erase: Callable[[str], None]) -> None:
    connection = stored_connection()
    attempt = begun(connection.id)
    keep(connection.id)
    assert require_reauthorization(attempt.lease, "gone", NOW)

    erase(connection.id)

    assert list(TAB_ATTEMPTS.select()) == []


def test_an_answer_that_the_database_refuses_is_reported() -> None:
    connection_id = "00000000-0000-4000-8000-000000000000"
    sealed = seal_answer(connection_id, ANSWER)
    assert write_answer(connection_id, 1, sealed)
    TAB_ATTEMPTS._meta.database.execute_sql("DROP TABLE attempts")

    assert not write_answer(connection_id, 1, sealed)
