"""Outcomes of renewals: each in one transaction with the end of its journal and its events."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Final, TypeVar

from actors.audit import EventKind, build_event, record
from actors.backoff import plan_retry
from actors.connections.errors import ReauthorizationRequired
from actors.connections.forecasts import GrantEnded, has_grant_ended
from actors.errors import (
    AuthError,
    FailureKind,
    OutcomeUnknown,
    ProviderPaused,
    ProviderRefused,
    ProviderUnreachable,
)
from actors.providers.config.breaker import MAX_RETRY_AFTER_SECONDS
from actors.renewal.attempt import describe_spent_token
from actors.renewal.limits import LIMITS, RenewalLimits
from actors.renewal.outcomes.endings import DEAD_STATUSES, record_missing_means
from actors.renewal.outcomes.identities import IdentityRefused, record_refused_identity
from actors.renewal.outcomes.refusals import find_lasting_refusal
from actors.renewal.request import RefreshTokenMissing
from catfeeder.clock import utc_now
from catfeeder.errors import CatFeederError
from config import current_settings
from models.db.database import hold_connection, transaction
from models.db.errors import DatabaseUnreachable
from models.oauth.connections import TAB_CONNECTIONS, ConnectionStatus
from models.oauth.grants import Grant
from models.renewal.grouped_writes import defer_finish
from models.renewal.journal import TAB_ATTEMPTS, Attempt
from models.renewal.leases import (
    Lease,
    postpone_renewal,
    release,
    require_reauthorization,
)

T = TypeVar("T")

_PAUSE_SECONDS: Final = 0.25


def store_grant(
    attempt: Attempt,
    row: TAB_CONNECTIONS,
    grant: Grant,
    now: datetime,
    limits: RenewalLimits = LIMITS,
) -> Callable[[], None]:
    """Store a renewal's grant, unless the connection has got another one since.

    Returns:
        What waits until the grant is stored. It is stored with this thread's next write, at the
        latest when the result is called. That call raises DatabaseUnreachable if the database
        stays away; then the answer is kept, and `recover` finishes the renewal.
    """
    known = _reread_if_late(row, attempt.lease)
    begun = [_begin_storing(attempt.lease, known, grant, now)]

    def store() -> None:
        wait = begun.pop() if begun else _begin_storing(attempt.lease, known, grant, now)
        wait()

    return lambda: _retry_while_unreachable(store, limits.outcome_seconds)


def _reread_if_late(row: TAB_CONNECTIONS, lease: Lease) -> TAB_CONNECTIONS:
    """Return the connection as it is now if its lease has run out: its status may have changed."""
    if utc_now() > lease.until:
        with suppress(DatabaseUnreachable), hold_connection():
            return TAB_CONNECTIONS.find(row.id) or row
    return row


def _begin_storing(
    lease: Lease, row: TAB_CONNECTIONS, grant: Grant, now: datetime
) -> Callable[[], bool]:
    events = [build_event(EventKind.RENEWED, now=now, connection=row)]
    known = row.missing_scope.split()
    if missing := [scope for scope in grant.missing_scope.split() if scope not in known]:
        events.append(build_event(EventKind.SCOPE_MISSING, now=now, connection=row, scopes=missing))
    if row.status != ConnectionStatus.ACTIVE:
        failures = row.failures
        events.append(build_event(EventKind.RECOVERED, now=now, connection=row, failures=failures))
    return defer_finish(lease, grant, now, events)


def record_failure(
    attempt: Attempt,
    row: TAB_CONNECTIONS,
    error: CatFeederError,
    now: datetime,
    limits: RenewalLimits = LIMITS,
) -> CatFeederError | None:
    """Record why a renewal brought no grant.

    Returns:
        The error to raise. None where the grant seems gone, but the lease was lost to another
        renewal, which may have brought one.

    Raises:
        DatabaseUnreachable: The database stays away. Once the lease has run out `recover` finishes
            the renewal.
    """
    write = partial(_write_failure, attempt, row, error, now)
    return _retry_while_unreachable(write, limits.outcome_seconds)


def _write_failure(
    attempt: Attempt, row: TAB_CONNECTIONS, error: CatFeederError, now: datetime
) -> CatFeederError | None:
    if isinstance(error, RefreshTokenMissing):
        return record_missing_means(attempt.lease, row, error, now)
    if isinstance(error, OutcomeUnknown):
        return _give_up(attempt, row, error, now)
    if isinstance(error, AuthError) and error.kind is FailureKind.GRANT_DEAD:
        # The provider calls the token spent; an earlier try of ours may have spent it.
        reason = describe_spent_token(attempt) if attempt.is_retry else error
        return _give_up(attempt, row, reason, now)
    if isinstance(error, ProviderPaused | IdentityRefused):
        _keep_grant(attempt, row, error, now)
        return error
    end = GrantEnded() if has_grant_ended(row, now) else find_lasting_refusal(row, error, now)
    if end is not None:
        return _give_up(attempt, row, end, now)
    _postpone(attempt, row, error, now)
    return error


def _keep_grant(
    attempt: Attempt, row: TAB_CONNECTIONS, error: ProviderPaused | IdentityRefused, now: datetime
) -> None:
    """Leave the grant as it is: its provider was not asked, or has answered another's tokens."""
    if isinstance(error, IdentityRefused):
        record_refused_identity(attempt.lease, row, error, _plan_retry(row, error, now), now)
    else:
        _release(attempt)


def _postpone(attempt: Attempt, row: TAB_CONNECTIONS, error: CatFeederError, now: datetime) -> None:
    """Record a failure that may pass, and a next try by back-off and the provider's wish.

    A connection that is not due, and whose renewal was asked for all the same, stays as it was.
    """
    if row.status in (*DEAD_STATUSES, ConnectionStatus.ENDED):
        _leave(attempt)
        return
    retry_at = _plan_retry(row, error, now)
    is_unclear = isinstance(error, AuthError) and error.is_outcome_unknown
    with transaction():
        is_refusal = isinstance(error, ProviderRefused)
        reason = _format_reason(error)
        if not postpone_renewal(attempt.lease, reason, retry_at, now, is_refusal=is_refusal):
            return
        _close_attempt(attempt, is_open=is_unclear or attempt.is_retry, keep_answer=is_unclear)
        if row.status != ConnectionStatus.RENEWAL_FAILING:
            detail = _event_detail(error)
            record(EventKind.RENEWAL_FAILED, now=now, connection=row, **detail)


def _plan_retry(row: TAB_CONNECTIONS, error: CatFeederError, now: datetime) -> datetime:
    oauth = current_settings().oauth
    first, cap = oauth.retry_seconds, oauth.retry_cap_seconds
    retry_at = plan_retry(row.failures, first, cap, now, minimum_share=0)
    if isinstance(error, ProviderUnreachable):
        wanted = min(error.retry_after_seconds, MAX_RETRY_AFTER_SECONDS)
        retry_at = max(retry_at, now + timedelta(seconds=wanted))
    return retry_at


def _give_up(
    attempt: Attempt, row: TAB_CONNECTIONS, error: CatFeederError, now: datetime
) -> CatFeederError | None:
    """Record that the grant is gone, unless the lease was lost to another renewal.

    One that was gone before stays as it is, and there is no other event of it.
    """
    lease = attempt.lease
    if row.status in DEAD_STATUSES:
        is_held = _leave(attempt)
    else:
        with transaction():
            is_held = require_reauthorization(lease, _format_reason(error), now)
            if is_held:
                TAB_ATTEMPTS.end(lease.connection_id, lease.version)
                kind = EventKind.REAUTHORIZATION_REQUIRED
                record(kind, now=now, connection=row, **_event_detail(error))
    if not is_held:
        return None
    required = ReauthorizationRequired()
    required.__cause__ = error
    return required


def _leave(attempt: Attempt) -> bool:
    """Leave a connection that is not to be renewed as it was; False if the lease was lost."""
    with transaction():
        is_held = release(attempt.lease)
        if is_held:
            _close_attempt(attempt, is_open=False, keep_answer=False)
    return is_held


def _release(attempt: Attempt) -> None:
    """Leave a connection as it was and due, since its provider was not asked."""
    with transaction():
        if release(attempt.lease):
            _close_attempt(attempt, is_open=attempt.is_retry, keep_answer=True)


def _close_attempt(attempt: Attempt, *, is_open: bool, keep_answer: bool) -> None:
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


def _format_reason(error: CatFeederError) -> str:
    """Return the sentence to store, with the kind of a provider's failure in front."""
    kind = getattr(error, "kind", None)
    return f"{kind}: {error.detail}" if kind else error.detail


def _event_detail(error: CatFeederError) -> dict[str, str]:
    """Return an event's detail: the error's code, its kind, and what the provider answered."""
    kind, answer = getattr(error, "kind", None), getattr(error, "answer", None)
    detail = {"reason": error.code}
    detail |= {"failure": str(kind)} if kind else {}
    return detail | ({"answer": answer} if answer else {})


def _retry_while_unreachable(write: Callable[[], T], seconds: float) -> T:
    """Repeat a write while the database is away, for at most so many seconds."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return write()
        except DatabaseUnreachable:
            if time.monotonic() > deadline:
                raise
        time.sleep(_PAUSE_SECONDS)
