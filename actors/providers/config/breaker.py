"""Circuit breaker of each provider: pauses its renewals after failures, and probes it."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from typing import Final

from actors.backoff import plan_retry
from actors.errors import AuthError, FailureKind, ProviderPaused, ProviderRefused
from actors.events.audit import EventKind, record
from actors.providers.config.rates import Rate, rate_of
from actors.providers.protocol.provider import Provider
from catfeeder.clock import rfc3339
from catfeeder.errors import SealBroken
from config import current_settings
from models.db.database import hold_connection, transaction
from models.db.errors import DatabaseUnreachable
from models.oauth.provider_health import TAB_PROVIDER_HEALTH, HealthState
from models.renewal.leases import expedite_failing, has_renewed_since

_LOG = logging.getLogger(__name__)

#: After this many connections have failed in a row, with no success between them, the provider is
#: taken to be down, not the connections.
FAILURE_THRESHOLD: Final = 5
#: The longest pause between two probes. It is short beside the renewal margin of a token of an
#: hour, so that tokens are renewed in time once an outage ends.
MAX_PAUSE_SECONDS: Final = 300
#: A longer Retry-After is cut to this: then the provider is probed all the same.
MAX_RETRY_AFTER_SECONDS: Final = 86400
#: The same for an error of the client: some providers answer so for one connection's dead grant.
CLIENT_THRESHOLD: Final = 2
#: Another connection's renewal that is no older than this proves that the client is well.
_PROOF: Final = timedelta(seconds=MAX_PAUSE_SECONDS)
#: The provider has accepted the client and answered about the grant, so it works.
_PROVES_HEALTH: Final = (FailureKind.GRANT_DEAD, FailureKind.SCOPE)


@contextmanager
def apply_breaker(
    provider: Provider, health: TAB_PROVIDER_HEALTH, connection_id: str, now: datetime
) -> Iterator[None]:
    """Admit the block's request to a token endpoint and record its outcome.

    Raises:
        ProviderPaused: The breaker is open, or the rate is reached; the block has not begun.
    """
    health = _admit(health, rate_of(provider.maximum_renewals_per_minute), now)
    try:
        yield
    except (AuthError, SealBroken) as error:
        with _log_database_errors(provider.name):
            if isinstance(error, AuthError) and error.kind is not None:
                _record_failure(health, connection_id, error, now)
            elif health.state == HealthState.HALF_OPEN:
                with hold_connection():
                    health.abandon_probe(now)
        raise
    with _log_database_errors(provider.name):
        _record_success(health, connection_id, now)


@contextmanager
def _log_database_errors(provider: str) -> Iterator[None]:
    """Log what keeps an outcome from being recorded: the answer must be stored all the same."""
    try:
        yield
    except DatabaseUnreachable as error:
        extra = {"provider": provider}
        text = "The outcome of a renewal with %s was not recorded: %s"
        _LOG.warning(text, provider, error, extra=extra)


def check_not_paused(provider: str, now: datetime) -> None:
    """Make sure that renewals with a provider are not paused.

    Raises:
        ProviderPaused: They are.
    """
    with hold_connection():
        health = TAB_PROVIDER_HEALTH.find(provider)
    if health.is_paused(now):
        raise _to_paused_error(health, now)


def record_unusable_provider(
    provider: str, connection_id: str, error: AuthError, now: datetime
) -> None:
    """Record a failure that came before any request: incomplete settings, or a failed discovery."""
    if error.kind is not None:
        with suppress(ProviderPaused):
            with hold_connection():
                health = TAB_PROVIDER_HEALTH.find(provider)
            _record_failure(_admit(health, None, now), connection_id, error, now)


def _admit(health: TAB_PROVIDER_HEALTH, rate: Rate | None, now: datetime) -> TAB_PROVIDER_HEALTH:
    """Return the health that the request begins from, half open if it is the probe."""
    if health.is_paused(now):
        raise _to_paused_error(health, now)
    if rate is None and health.state == HealthState.CLOSED:
        return health
    with hold_connection():
        if rate is not None:
            _reserve_request(health, rate, now)
        if health.state == HealthState.CLOSED:
            return health
        until = now + timedelta(seconds=current_settings().oauth.lease_seconds)
        is_probe = health.begin_probe(until)
        health = TAB_PROVIDER_HEALTH.find(health.provider)
    if not is_probe:
        raise _to_paused_error(health, now)
    return health


def _reserve_request(health: TAB_PROVIDER_HEALTH, rate: Rate, now: datetime) -> None:
    TAB_PROVIDER_HEALTH.ensure(health.provider)
    free_at = health.reserve_request(now, rate.interval, rate.burst)
    if free_at is not None:
        reason = "maximum_renewals_per_minute is reached"
        raise ProviderPaused(
            health.provider, reason, rfc3339(free_at), _count_seconds(free_at, now)
        )


def _to_paused_error(health: TAB_PROVIDER_HEALTH, now: datetime) -> ProviderPaused:
    until = health.paused_until or now
    if health.is_held:
        return ProviderPaused(health.provider, health.reason or "", None, MAX_PAUSE_SECONDS)
    reason = health.reason or "another renewal probes whether it works again"
    return ProviderPaused(health.provider, reason, rfc3339(until), _count_seconds(until, now))


def _count_seconds(until: datetime, now: datetime) -> int:
    return max(math.ceil((until - now).total_seconds()), 1)


def _record_success(health: TAB_PROVIDER_HEALTH, connection_id: str, now: datetime) -> None:
    """Close the breaker after a probe; else write only if a run of failures has to end."""
    if health.state == HealthState.HALF_OPEN:
        with transaction():
            if health.resume(connection_id):
                _report_resumed(health, now)
    elif health.failures or health.failing_connection == connection_id:
        with hold_connection():
            health.reset_failures(connection_id)


def _record_failure(
    health: TAB_PROVIDER_HEALTH, connection_id: str, error: AuthError, now: datetime
) -> None:
    if error.kind in _PROVES_HEALTH:
        _record_success(health, connection_id, now)
        return
    retry_after = min(getattr(error, "retry_after_seconds", 0), MAX_RETRY_AFTER_SECONDS)
    with transaction():
        is_over = health.state == HealthState.HALF_OPEN
        if not is_over:
            # Others were renewed since this connection failed: the fault is the connection's own.
            is_alone = health.failing_connection == connection_id and not health.failures
            is_asked = error.kind is FailureKind.RATE_LIMITED or retry_after > 0
            TAB_PROVIDER_HEALTH.ensure(health.provider)
            failures = health.count_failure(connection_id)
            is_over = (is_asked and not is_alone) or (
                failures >= _choose_threshold(error)
                and not _is_disproved(error, health.provider, now)
            )
        if is_over:
            _pause(health, connection_id, error, now + timedelta(seconds=retry_after), now)


def _choose_threshold(error: AuthError) -> int:
    """Return how many connections have to fail in a row before the provider is paused.

    Settings that lack something fail for each alike, so one is enough.
    """
    if error.kind is not FailureKind.CLIENT_MISCONFIGURED:
        return FAILURE_THRESHOLD
    return CLIENT_THRESHOLD if isinstance(error, ProviderRefused) else 1


def _is_disproved(error: AuthError, provider: str, now: datetime) -> bool:
    """Return whether other renewals show that a refusal is not about the client.

    Users whose grants are dead may be met in a row, while all others were renewed a moment ago.
    """
    return isinstance(error, ProviderRefused) and has_renewed_since(provider, now - _PROOF)


def _pause(
    health: TAB_PROVIDER_HEALTH,
    connection_id: str,
    error: AuthError,
    earliest: datetime,
    now: datetime,
) -> None:
    first = current_settings().oauth.retry_seconds
    until = plan_retry(health.pauses, first, max(first, MAX_PAUSE_SECONDS), now)
    until = max(until, earliest)
    reason = f"{error.kind}: {error.detail}"
    kind = str(error.kind)
    is_change = health.pause(connection_id, until=until, kind=kind, reason=reason, now=now)
    if is_change and health.state == HealthState.CLOSED:
        # The operator's alarm: once per pause, however many connections fail.
        extra = {"provider": health.provider}
        _LOG.error("Renewals with %s are paused: %s", health.provider, reason, extra=extra)
        record(
            EventKind.PROVIDER_PAUSED,
            now=now,
            provider=health.provider,
            failure=kind,
            reason=reason,
            paused_until=rfc3339(until),
        )


def close_breaker(provider: str, now: datetime) -> None:
    """End the pause of a provider whose settings change, in the transaction of the change.

    One by hand goes on.
    A request that began before the change and fails after it does not count: its epoch is past.
    """
    TAB_PROVIDER_HEALTH.ensure(provider)
    health = TAB_PROVIDER_HEALTH.find(provider)
    if not health.is_held:
        resume(health, now)


def resume(health: TAB_PROVIDER_HEALTH, now: datetime) -> None:
    """Close a breaker within a transaction, and report it where it was not closed."""
    if health.resume() and health.state != HealthState.CLOSED:
        _report_resumed(health, now)


def _report_resumed(health: TAB_PROVIDER_HEALTH, now: datetime) -> None:
    expedite_failing(health.provider, now)
    _LOG.warning("Renewals with %s go on.", health.provider, extra={"provider": health.provider})
    since = rfc3339(health.since)
    record(EventKind.PROVIDER_RESUMED, now=now, provider=health.provider, paused_since=since)
