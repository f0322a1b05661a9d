"""Release of a lease that brought no grant, and the end of its journal."""

from __future__ import annotations

from models.db.database import transaction
from models.renewal.journal import TAB_ATTEMPTS, Attempt
from models.renewal.leases import release


def leave(attempt: Attempt) -> bool:
    """Leave a connection that is not to be renewed as it was; False if the lease was lost."""
    with transaction():
        is_held = release(attempt.lease)
        if is_held:
            close_attempt(attempt, is_open=False, keep_answer=False)
    return is_held


def release_due(attempt: Attempt) -> None:
    """Leave a connection as it was and due, since its provider was not asked."""
    with transaction():
        if release(attempt.lease):
            close_attempt(attempt, is_open=attempt.is_retry, keep_answer=True)


def close_attempt(attempt: Attempt, *, is_open: bool, keep_answer: bool) -> None:
    """End a renewal's journal, or leave it open for the next renewal to see what is known.

    A renewal that did not begin has written nothing; a row that is there is of an earlier one.
    """
    lease = attempt.lease
    if attempt.tries == 0:
        return
    if is_open:
        TAB_ATTEMPTS.mark_outcome_unknown(
            lease.connection_id, lease.version, keep_answer=keep_answer
        )
    else:
        TAB_ATTEMPTS.end(lease.connection_id, lease.version)
