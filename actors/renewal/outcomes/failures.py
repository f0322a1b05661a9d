"""Failures of renewals: each in one transaction with the end of its journal and its events."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

from actors.backoff import plan_retry
from actors.connections.errors import ReauthorizationRequired
from actors.connections.forecasts import GrantEnded, has_grant_ended
from actors.errors import AuthError, FailureKind, OutcomeUnknown
from actors.events.audit import record
from actors.events.kinds import EventKind
from actors.providers.config.breaker_outcomes import MAX_RETRY_AFTER_SECONDS
from actors.providers.errors import ProviderPaused, ProviderRefused, ProviderUnreachable
from actors.renewal.attempt import describe_spent_token
from actors.renewal.limits import LIMITS, RenewalLimits
from actors.renewal.outcomes.endings import DEAD_STATUSES, record_missing_means
from actors.renewal.outcomes.identities import IdentityRefused, record_refused_identity
from actors.renewal.outcomes.reasons import build_event_detail, format_reason
from actors.renewal.outcomes.refusals import find_lasting_refusal
from actors.renewal.outcomes.releases import close_attempt, leave, release_due
from actors.renewal.outcomes.retries import retry_while_unreachable
from actors.renewal.request import RefreshTokenMissing
from catfeeder.errors import CatFeederError
from config import current_settings
from models.db.database import transaction
from models.oauth.connections import TAB_CONNECTIONS, ConnectionStatus
from models.renewal.journal import TAB_ATTEMPTS, Attempt
from models.renewal.leases import postpone_renewal, require_reauthorization


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
    return retry_while_unreachable(write, limits.outcome_seconds)


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
        release_due(attempt)


def _postpone(attempt: Attempt, row: TAB_CONNECTIONS, error: CatFeederError, now: datetime) -> None:
    """Record a failure that may pass, and a next try by back-off and the provider's wish.

    A connection that is not due, and whose renewal was asked for all the same, stays as it was.
    """
    if row.status in (*DEAD_STATUSES, ConnectionStatus.ENDED):
        leave(attempt)
        return
    retry_at = _plan_retry(row, error, now)
    is_unclear = isinstance(error, AuthError) and error.is_outcome_unknown
    with transaction():
        is_refusal = isinstance(error, ProviderRefused)
        reason = format_reason(error)
        if not postpone_renewal(attempt.lease, reason, retry_at, now, is_refusal=is_refusal):
            return
        close_attempt(attempt, is_open=is_unclear or attempt.is_retry, keep_answer=is_unclear)
        is_first = row.status != ConnectionStatus.RENEWAL_FAILING
        kind = EventKind.RENEWAL_FAILED if is_first else EventKind.RENEWAL_FAILED_AGAIN
        record(kind, now=now, connection=row, **build_event_detail(error))


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
        is_held = leave(attempt)
    else:
        with transaction():
            is_held = require_reauthorization(lease, format_reason(error), now)
            if is_held:
                TAB_ATTEMPTS.end(lease.connection_id, lease.version)
                kind = EventKind.REAUTHORIZATION_REQUIRED
                record(kind, now=now, connection=row, **build_event_detail(error))
    if not is_held:
        return None
    required = ReauthorizationRequired()
    required.__cause__ = error
    return required
