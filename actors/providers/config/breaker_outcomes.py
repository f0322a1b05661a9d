"""Outcomes of requests to a provider, by which its circuit breaker opens and closes."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Final

from actors.backoff import plan_retry
from actors.errors import AuthError, FailureKind
from actors.events.audit import record
from actors.events.kinds import EventKind
from actors.providers.errors import ProviderRefused
from catfeeder.clock import rfc3339
from config import current_settings
from models.db.database import hold_connection, transaction
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


def record_success(health: TAB_PROVIDER_HEALTH, connection_id: str, now: datetime) -> None:
    """Close the breaker after a probe; else write only if a run of failures has to end."""
    if health.state == HealthState.HALF_OPEN:
        with transaction():
            if health.resume(connection_id):
                _report_resumed(health, now)
    elif health.failures or health.failing_connection == connection_id:
        with hold_connection():
            health.reset_failures(connection_id)


def record_failure(
    health: TAB_PROVIDER_HEALTH, connection_id: str, error: AuthError, now: datetime
) -> None:
    if error.kind in _PROVES_HEALTH:
        record_success(health, connection_id, now)
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
