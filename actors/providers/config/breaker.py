"""Circuit breaker of each provider: pauses its renewals after failures, and probes it."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta

from actors.errors import AuthError
from actors.providers.config.breaker_outcomes import (
    MAX_PAUSE_SECONDS,
    record_failure,
    record_success,
)
from actors.providers.config.rates import Rate, rate_of
from actors.providers.errors import ProviderPaused
from actors.providers.protocol.provider import Provider
from catfeeder.clock import rfc3339
from catfeeder.errors import SealBroken
from config import current_settings
from models.db.database import hold_connection
from models.db.errors import DatabaseUnreachable
from models.oauth.provider_health import TAB_PROVIDER_HEALTH, HealthState

_LOG = logging.getLogger(__name__)


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
                record_failure(health, connection_id, error, now)
            elif health.state == HealthState.HALF_OPEN:
                with hold_connection():
                    health.abandon_probe(now)
        raise
    with _log_database_errors(provider.name):
        record_success(health, connection_id, now)


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
            record_failure(_admit(health, None, now), connection_id, error, now)


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
