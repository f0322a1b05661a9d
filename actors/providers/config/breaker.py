"""The circuit breaker of each provider: who may ask its token endpoint now, and who has to wait."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from typing import Final

from actors.audit import EventKind, record
from actors.backoff import plan_retry
from actors.errors import AuthError, FailureKind, ProviderPaused
from actors.providers.config.rates import Rate, rate_of
from actors.providers.protocol.provider import Provider
from catfeeder.clock import rfc3339
from catfeeder.errors import SealBroken
from config import current_settings
from models.db.database import hold_connection, transaction
from models.db.errors import DatabaseUnreachable
from models.oauth.provider_health import TAB_PROVIDER_HEALTH, HealthState
from models.renewal.leases import expedite_failing

_LOG = logging.getLogger(__name__)

#: So many connections fail one after the other, without one that is renewed between them, before
#: what fails is the provider and not a connection.
FAILURE_THRESHOLD: Final = 5
#: The longest pause between two probes. It is short beside the least margin of a token of an hour,
#: so that what an outage has kept waiting is renewed within that margin of its end.
MAX_PAUSE_SECONDS: Final = 300
#: A provider that names a later time than this (Retry-After) is asked once all the same.
MAX_RETRY_AFTER_SECONDS: Final = 86400
#: What says of the client or of our rate that nobody will fare better.
_AT_ONCE: Final = (FailureKind.CLIENT_MISCONFIGURED, FailureKind.RATE_LIMITED)
#: The provider has looked at the client and at the grant, and answered about the latter.
_IS_WELL: Final = (FailureKind.GRANT_DEAD, FailureKind.SCOPE)


@contextmanager
def apply_breaker(
    provider: Provider, health: TAB_PROVIDER_HEALTH, connection_id: str, now: datetime
) -> Iterator[None]:
    """Ask a token endpoint in the block, if its health admits it, and note how that went.

    Raises:
        ProviderPaused: It may not; the block has not begun.
    """
    health = _admitted(health, rate_of(provider.maximum_renewals_per_minute), now)
    try:
        yield
    except (AuthError, SealBroken) as error:
        with _whatever_comes_of_it(provider.name):
            if isinstance(error, AuthError) and error.kind is not None:
                _note_answer(health, connection_id, error, now)
            elif health.state == HealthState.HALF_OPEN:
                with hold_connection():
                    health.abandon_probe(now)
        raise
    with _whatever_comes_of_it(provider.name):
        _note_success(health, connection_id, now)


@contextmanager
def _whatever_comes_of_it(provider: str) -> Iterator[None]:
    """Let no note of ours stand between an answer and its being stored; the next one is noted."""
    try:
        yield
    except DatabaseUnreachable as error:
        _LOG.warning("How a renewal with %s went was not noted: %s", provider, error)


def check_not_paused(provider: str, now: datetime) -> None:
    """Make sure that renewals with a provider are not paused.

    Raises:
        ProviderPaused: They are.
    """
    with hold_connection():
        health = TAB_PROVIDER_HEALTH.find(provider)
    if health.is_paused(now):
        raise _paused(health, now)


def record_unusable_provider(
    provider: str, connection_id: str, error: AuthError, now: datetime
) -> None:
    """Note that a provider could not even be asked: its settings lack something, or its issuer."""
    if error.kind is not None:
        with suppress(ProviderPaused):
            with hold_connection():
                health = TAB_PROVIDER_HEALTH.find(provider)
            _note_answer(_admitted(health, None, now), connection_id, error, now)


def _admitted(health: TAB_PROVIDER_HEALTH, rate: Rate | None, now: datetime) -> TAB_PROVIDER_HEALTH:
    """Return the state that whoever asks begins from."""
    if health.is_paused(now):
        raise _paused(health, now)
    if rate is None and health.state == HealthState.CLOSED:
        return health
    with hold_connection():
        if rate is not None:
            _take_place(health, rate, now)
        if health.state == HealthState.CLOSED:
            return health
        until = now + timedelta(seconds=current_settings().oauth.lease_seconds)
        is_ours = health.begin_probe(until)
        health = TAB_PROVIDER_HEALTH.find(health.provider)
    if not is_ours:
        raise _paused(health, now)
    return health


def _take_place(health: TAB_PROVIDER_HEALTH, rate: Rate, now: datetime) -> None:
    TAB_PROVIDER_HEALTH.ensure(health.provider)
    free_at = health.reserve_request(now, rate.interval, rate.burst)
    if free_at is not None:
        reason = "maximum_renewals_per_minute is reached"
        raise ProviderPaused(health.provider, reason, rfc3339(free_at), _seconds(free_at, now))


def _paused(health: TAB_PROVIDER_HEALTH, now: datetime) -> ProviderPaused:
    until = health.paused_until or now
    reason = health.reason or "another renewal finds out whether it works again"
    return ProviderPaused(health.provider, reason, rfc3339(until), _seconds(until, now))


def _seconds(until: datetime, now: datetime) -> int:
    return max(math.ceil((until - now).total_seconds()), 1)


def _note_success(health: TAB_PROVIDER_HEALTH, connection_id: str, now: datetime) -> None:
    """Close the breaker after a probe; else write only if there is a run of failures to end."""
    if health.state == HealthState.HALF_OPEN:
        with transaction():
            if health.resume(connection_id):
                _tell_resumed(health, now)
    elif health.failures or health.failing_connection == connection_id:
        with hold_connection():
            health.reset_failures(connection_id)


def _note_answer(
    health: TAB_PROVIDER_HEALTH, connection_id: str, error: AuthError, now: datetime
) -> None:
    if error.kind in _IS_WELL:
        _note_success(health, connection_id, now)
        return
    wanted_seconds = min(getattr(error, "retry_after_seconds", 0), MAX_RETRY_AFTER_SECONDS)
    wanted_until = now + timedelta(seconds=wanted_seconds)
    with transaction():
        is_over = health.state == HealthState.HALF_OPEN
        if not is_over:
            # Others were renewed since this connection failed: it has a trouble of its own.
            is_alone = health.failing_connection == connection_id and not health.failures
            at_once = (error.kind in _AT_ONCE or wanted_seconds > 0) and not is_alone
            TAB_PROVIDER_HEALTH.ensure(health.provider)
            is_over = health.count_failure(connection_id) >= FAILURE_THRESHOLD or at_once
        if is_over:
            _pause(health, connection_id, error, wanted_until, now)


def _pause(
    health: TAB_PROVIDER_HEALTH,
    connection_id: str,
    error: AuthError,
    wanted_until: datetime,
    now: datetime,
) -> None:
    first = current_settings().oauth.retry_seconds
    until = plan_retry(health.pauses, first, max(first, MAX_PAUSE_SECONDS), now)
    until = max(until, wanted_until)
    reason = f"{error.kind}: {error.detail}"
    is_ours = health.pause(connection_id, until=until, kind=str(error.kind), reason=reason, now=now)
    if is_ours and health.state == HealthState.CLOSED:
        # Once for all connections and attempts: it is the operator's alarm.
        _LOG.error("Renewals with %s are paused: %s", health.provider, reason)
        record(
            EventKind.PROVIDER_PAUSED,
            now=now,
            provider=health.provider,
            failure=str(error.kind),
            reason=reason,
            paused_until=rfc3339(until),
        )


def close_breaker(provider: str, now: datetime) -> None:
    """Begin anew with a provider that was changed; call this within the transaction of the change.

    What was asked before the change, and fails after it, says nothing any more.
    """
    TAB_PROVIDER_HEALTH.ensure(provider)
    health = TAB_PROVIDER_HEALTH.find(provider)
    if health.resume() and health.state != HealthState.CLOSED:
        _tell_resumed(health, now)


def _tell_resumed(health: TAB_PROVIDER_HEALTH, now: datetime) -> None:
    expedite_failing(health.provider, now)
    _LOG.warning("Renewals with %s go on.", health.provider)
    since = rfc3339(health.since)
    record(EventKind.PROVIDER_RESUMED, now=now, provider=health.provider, paused_since=since)
