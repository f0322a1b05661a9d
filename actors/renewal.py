"""Renewing what was leased: asking the provider, and recording how it went."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from actors.audit import EventKind, record
from actors.connections import describe_connection, find_connection
from actors.discovery import discovered_provider
from actors.errors import (
    AuthError,
    ConnectionBusy,
    FailureKind,
    ProviderRefused,
    ProviderUnknown,
    ProviderUnreachable,
    ReauthorizationRequired,
)
from actors.exchange import granted
from actors.forecasts import GrantEnded, end_of_renewal, has_ended
from actors.planning import plan_retry
from actors.provider_lookup import merged_metadata, provider_row
from actors.providers.provider import Provider
from actors.providers.token_endpoint import (
    TokenResponse,
    extend_facebook_token,
    use_refresh_token,
)
from actors.sweeping import lease_end
from catfeeder.errors import CatFeederError
from catfeeder.jobs import utc_now
from config import current_settings
from models.connections import TAB_CONNECTIONS, ConnectionStatus, Grant
from models.database import connected, transaction
from models.leases import (
    Lease,
    claim,
    extend,
    finish_renewal,
    leased,
    postpone_renewal,
    require_reauthorization,
)

_LOG = logging.getLogger(__name__)


class RenewalTooSoon(AuthError):
    """The provider wants more time between two renewals; the token in hand is its latest."""

    permanent = False


class RefreshTokenMissing(AuthError):
    """The token expires and the provider gave no means to renew it; sign in again."""


def renew_connections(leases: list[tuple[str, int, str]]) -> None:
    """Perform the message of the same name: renew each connection that is still leased to us."""
    for connection_id, version, until in leases:
        lease = Lease(connection_id, version, datetime.fromisoformat(until))
        try:
            renew_leased(lease, utc_now())
        except CatFeederError as error:
            _LOG.warning("Renewing connection %s failed: %s", connection_id, error.detail)


def renew_connection(connection_id: str) -> dict[str, Any]:
    """Perform the message of the same name: renew a connection now, due or not, and return it.

    Raises:
        ConnectionUnknown: There is no such connection.
        ConnectionBusy: Somebody else is renewing it.
        RenewalTooSoon: The provider would take it amiss.
        ReauthorizationRequired: Only the user can bring it back.
        ProviderUnreachable, ProviderMisbehaved, ProviderRefused: The provider's part failed.
    """
    now = utc_now()
    row = find_connection(connection_id)
    if row.status == ConnectionStatus.ACTIVE and now < row.updated_at + _renewal_gap(row.provider):
        raise RenewalTooSoon
    with connected():
        lease = claim(connection_id, now, lease_end(now))
    if lease is None:
        raise ConnectionBusy
    renew_leased(lease, now)
    return describe_connection(find_connection(connection_id))


def _renewal_gap(provider: str) -> timedelta:
    try:
        metadata = merged_metadata(provider_row(provider))
    except ProviderUnknown:
        return timedelta()  # The renewal itself will tell.
    return timedelta(seconds=metadata.get("minimum_renewal_gap_seconds", 0))


def renew_leased(lease: Lease, now: datetime) -> None:
    """Renew one leased connection and record how it went; a lease that was lost does nothing.

    Raises:
        ReauthorizationRequired: The provider says that the grant is gone.
        CatFeederError: Anything else that kept us from renewing; it will be tried again.
    """
    with connected():
        held = extend(lease, lease_end(now))
        row = leased(held) if held else None
    if held is None or row is None:
        return
    try:
        grant = _renewed(row, now)
    except RefreshTokenMissing as error:
        _give_up(held, row, error, now)
    except ProviderRefused as error:
        if error.kind is not FailureKind.GRANT_DEAD:
            _postpone(held, row, error, now)
            raise
        _give_up(held, row, error, now)
    except CatFeederError as error:
        _postpone(held, row, error, now)
        raise
    else:
        _finish(held, row, grant, now)


def _finish(lease: Lease, row: TAB_CONNECTIONS, grant: Grant, now: datetime) -> None:
    with transaction():
        if finish_renewal(lease, grant, now):
            record(EventKind.RENEWED, now=now, connection=row)
            known = row.missing_scope.split()
            if news := [scope for scope in grant.missing_scope.split() if scope not in known]:
                record(EventKind.SCOPE_MISSING, now=now, connection=row, scopes=news)
            if row.status == ConnectionStatus.RENEWAL_FAILING:
                record(EventKind.RECOVERED, now=now, connection=row, failures=row.failures)


def _renewed(row: TAB_CONNECTIONS, now: datetime) -> Grant:
    provider = discovered_provider(row.provider, now)
    tokens = _ask(provider, row)
    if tokens.second is not None and _is_of(tokens.second, row):
        tokens = tokens.second
    asked = f"{row.scope} {row.missing_scope}"
    # The lifetime is counted from before the call: too short by a moment, never too long.
    known = row.grant_expires_at
    end = end_of_renewal(provider, tokens, known, now)
    grant = granted(provider, tokens, row.provider_subject, asked, now, end=end, known_end=known)
    if tokens.scope is None:
        return replace(grant, scope=row.scope, missing_scope=row.missing_scope)
    return grant


def _is_of(tokens: TokenResponse, row: TAB_CONNECTIONS) -> bool:
    """Tell whether tokens are of the same kind as a connection's: a bot's, or a user's."""
    whose = (tokens.account or {}).get("token_of")
    return bool(whose == row.profile.get("raw", {}).get("token_of"))


def _ask(provider: Provider, row: TAB_CONNECTIONS) -> TokenResponse:
    refresh_token = TAB_CONNECTIONS.refresh_token.open(row)
    access_token = TAB_CONNECTIONS.access_token.open(row)
    if provider.renewal == "fb_exchange_token" and access_token is not None:
        return extend_facebook_token(provider, access_token)
    if provider.renewal == "refresh_token" and refresh_token is not None:
        return use_refresh_token(provider, refresh_token)
    raise RefreshTokenMissing


def _postpone(lease: Lease, row: TAB_CONNECTIONS, error: CatFeederError, now: datetime) -> None:
    """Try again later, each time after a longer while, and not before the provider wants it."""
    if has_ended(row, now):
        _give_up(lease, row, GrantEnded(), now)
        return
    oauth = current_settings().oauth
    again_at = plan_retry(row.failures, oauth.retry_seconds, oauth.retry_cap_seconds, now)
    if isinstance(error, ProviderUnreachable):
        wanted = min(error.retry_after_seconds, oauth.retry_cap_seconds)
        again_at = max(again_at, now + timedelta(seconds=wanted))
    with transaction():
        is_news = row.status != ConnectionStatus.RENEWAL_FAILING
        if postpone_renewal(lease, error.detail, again_at, now) and is_news:
            record(EventKind.RENEWAL_FAILED, now=now, connection=row, reason=error.code)


def _give_up(lease: Lease, row: TAB_CONNECTIONS, error: AuthError, now: datetime) -> None:
    """Record that the grant is gone, unless another one has come in the meantime."""
    with transaction():
        if not require_reauthorization(lease, error.detail, now):
            return
        kind = EventKind.REAUTHORIZATION_REQUIRED
        record(kind, now=now, connection=row, reason=error.code)
    raise ReauthorizationRequired from error
