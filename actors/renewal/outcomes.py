"""What came of a renewal, in the database: one transaction with the journal and the audit trail."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final, TypeVar

from actors.audit import EventKind, event, record
from actors.backoff import plan_retry
from actors.connections.forecasts import GrantEnded, has_ended
from actors.errors import (
    AuthError,
    FailureKind,
    OutcomeUnknown,
    ProviderPaused,
    ProviderUnreachable,
    ReauthorizationRequired,
)
from actors.providers.config.breaker import MAX_RETRY_AFTER_SECONDS
from actors.renewal.request import RefreshTokenMissing
from catfeeder.clock import rfc3339, utc_now
from catfeeder.errors import CatFeederError
from config import current_settings
from models.db.database import hold_connection, transaction
from models.db.errors import DatabaseUnreachable
from models.oauth.connections import TAB_CONNECTIONS, ConnectionStatus
from models.oauth.grants import Grant
from models.renewal.grouped_writes import defer_finish
from models.renewal.journal import TAB_ATTEMPTS, Attempt
from models.renewal.leases import Lease, postpone_renewal, release, require_reauthorization

T = TypeVar("T")

_LOG = logging.getLogger(__name__)
#: So long a database that went away is waited for; what we hold is in the journal or in a file.
_PATIENCE_SECONDS: Final = 10.0
_PAUSE_SECONDS: Final = 0.25


def store_grant(
    attempt: Attempt, row: TAB_CONNECTIONS, grant: Grant, now: datetime
) -> Callable[[], None]:
    """Store what a renewal brought, unless the connection has another grant by now.

    That is done with this thread's next write, at the latest when what is returned is called.

    Raises:
        DatabaseUnreachable: Not yet; the answer is kept, and `recover` will come back to it. What
            is returned raises it.
    """
    known = _known_lately(row, attempt.lease)
    tries = [_storing(attempt.lease, known, grant, now)]

    def store() -> None:
        waiting = tries.pop() if tries else _storing(attempt.lease, known, grant, now)
        waiting()

    return lambda: _patiently(store)


def _known_lately(row: TAB_CONNECTIONS, lease: Lease) -> TAB_CONNECTIONS:
    """Return a connection anew where its lease has run out: others may have given it up since."""
    if utc_now() > lease.until:
        with suppress(DatabaseUnreachable), hold_connection():
            return TAB_CONNECTIONS.find(row.id) or row
    return row


def _storing(lease: Lease, row: TAB_CONNECTIONS, grant: Grant, now: datetime) -> Callable[[], bool]:
    events = [event(EventKind.RENEWED, now=now, connection=row)]
    known = row.missing_scope.split()
    if news := [scope for scope in grant.missing_scope.split() if scope not in known]:
        events.append(event(EventKind.SCOPE_MISSING, now=now, connection=row, scopes=news))
    if row.status != ConnectionStatus.ACTIVE:
        failures = row.failures
        events.append(event(EventKind.RECOVERED, now=now, connection=row, failures=failures))
    return defer_finish(lease, grant, now, events)


def record_failure(
    attempt: Attempt, row: TAB_CONNECTIONS, error: CatFeederError, now: datetime
) -> CatFeederError | None:
    """Record why there is no new token, and return what to raise for it.

    Nothing where the lease was lost to somebody who may have had more luck, and the grant is gone.

    Raises:
        DatabaseUnreachable: Not yet; the lease will run out, and `recover` will come back to it.
    """
    if isinstance(error, RefreshTokenMissing):
        return _patiently(lambda: _give_up(attempt, row, error, now))
    if isinstance(error, OutcomeUnknown):
        return _patiently(lambda: _give_up(attempt, row, error, now))
    if isinstance(error, AuthError) and error.kind is FailureKind.GRANT_DEAD:
        # It says that the token is spent, which may be our own doing.
        reason = _cut_off(attempt) if attempt.is_retry else error
        return _patiently(lambda: _give_up(attempt, row, reason, now))
    if isinstance(error, ProviderPaused):
        _patiently(lambda: _put_back(attempt))
        return error
    if has_ended(row, now):
        return _patiently(lambda: _give_up(attempt, row, GrantEnded(), now))
    _patiently(lambda: _postpone(attempt, row, error, now))
    return error


def _cut_off(attempt: Attempt) -> OutcomeUnknown:
    return OutcomeUnknown(
        "A renewal was cut off before its answer was stored, and the provider honours the refresh "
        f"token no more; it was sent again at {rfc3339(attempt.started_at)}. Sign in again."
    )


def _postpone(attempt: Attempt, row: TAB_CONNECTIONS, error: CatFeederError, now: datetime) -> None:
    """Try again later, each time after a longer while, and not before the provider wants it."""
    oauth = current_settings().oauth
    first, cap = oauth.retry_seconds, oauth.retry_cap_seconds
    again_at = plan_retry(row.failures, first, cap, now, least_share=0)
    if isinstance(error, ProviderUnreachable):
        wanted = min(error.retry_after_seconds, MAX_RETRY_AFTER_SECONDS)
        again_at = max(again_at, now + timedelta(seconds=wanted))
    lease = attempt.lease
    is_unclear = isinstance(error, AuthError) and error.is_outcome_unknown
    with transaction():
        if not postpone_renewal(lease, _reason(error), again_at, now):
            return
        _end_try(attempt, is_open=is_unclear or attempt.is_retry, keep_answer=is_unclear)
        if row.status != ConnectionStatus.RENEWAL_FAILING:
            record(EventKind.RENEWAL_FAILED, now=now, connection=row, **_told(error))


def _give_up(
    attempt: Attempt, row: TAB_CONNECTIONS, error: CatFeederError, now: datetime
) -> CatFeederError | None:
    """Record that the grant is gone, unless another one has come in the meantime."""
    lease = attempt.lease
    with transaction():
        if not require_reauthorization(lease, _reason(error), now):
            return None
        TAB_ATTEMPTS.end(lease.connection_id, lease.version)
        kind = EventKind.REAUTHORIZATION_REQUIRED
        record(kind, now=now, connection=row, **_told(error))
    required = ReauthorizationRequired()
    required.__cause__ = error
    return required


def _put_back(attempt: Attempt) -> None:
    """Leave a connection as it was and due, since nobody was asked about it."""
    lease = attempt.lease
    with transaction():
        if release(lease):
            _end_try(attempt, is_open=attempt.is_retry, keep_answer=True)


def _end_try(attempt: Attempt, *, is_open: bool, keep_answer: bool) -> None:
    """End the journal of a renewal, or leave it open for the next one to see what is known.

    A renewal that did not begin has written nothing; what it finds there is an earlier one's.
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


def _reason(error: CatFeederError) -> str:
    """Return the sentence that is stored, behind the kind of a provider's failure."""
    kind = getattr(error, "kind", None)
    return f"{kind}: {error.detail}" if kind else error.detail


def _told(error: CatFeederError) -> dict[str, str]:
    """Return what an event tells of a failure: its code, and the kind of a provider's."""
    kind = getattr(error, "kind", None)
    return {"reason": error.code, "failure": str(kind)} if kind else {"reason": error.code}


def _patiently(write: Callable[[], T]) -> T:
    """Make a write, again and again while the database is away, but not for ever."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            return write()
        except DatabaseUnreachable:
            if time.monotonic() > deadline:
                raise
        time.sleep(_PAUSE_SECONDS)
