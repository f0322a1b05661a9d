"""Grants of token responses (RFC 6749 section 5.1): tokens, scope, renewal time and end."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from actors.connections.planning import plan_renewal
from actors.connections.scopes import find_missing_scopes
from actors.providers.protocol.provider import Provider
from actors.providers.protocol.tokens.answers import TokenResponse
from config import current_settings
from models.oauth.connections import TAB_CONNECTIONS, ConnectionStatus
from models.oauth.grants import Grant, GrantEnd


@dataclass(frozen=True, slots=True)
class GrantRequest:
    """What a grant was asked for, and what is known of it from before."""

    #: The provider's name for the user, which decides the jitter of the renewal.
    account: str
    #: The scope of a response that has none (RFC 6749 section 5.1).
    scope: str
    #: The scope of the grant that a renewal begins from.
    granted_before: str = ""
    #: When the grant ends for good, unless the response says otherwise.
    known_end: datetime | None = None


def build_grant(
    provider: Provider,
    tokens: TokenResponse,
    request: GrantRequest,
    now: datetime,
    *,
    end: GrantEnd | None,
) -> Grant:
    """Turn a token response of `now` into the grant to store; `end` is that which it states."""
    expires_at = None if tokens.expires_in is None else now + timedelta(seconds=tokens.expires_in)
    grant_expires_at = request.known_end if end is None else end.expires_at
    last_chance = grant_expires_at if tokens.refresh_token else None
    missing = find_missing_scopes(provider, tokens, request.scope, request.granted_before)
    return Grant(
        access_token=tokens.access_token,
        refresh_token=tokens.refresh_token,
        token_type=tokens.token_type,
        scope=request.scope if tokens.scope is None else tokens.scope,
        missing_scope=" ".join(missing),
        expires_at=expires_at,
        renew_at=_plan_renewal(provider, request.account, expires_at, last_chance, now),
        end=end,
        metadata=tokens.metadata or None,
        lifetime_seconds=tokens.expires_in if tokens.states_lifetime else None,
        needs_refresh_token=provider.renewal == "refresh_token",
    )


def with_known_lifetime(tokens: TokenResponse, row: TAB_CONNECTIONS) -> TokenResponse:
    """Return tokens with the last lifetime that the provider stated, if it states none now.

    A connection that was stored before stated lifetimes were has that of its present token.
    """
    if tokens.states_lifetime:
        return tokens
    known = row.lifetime_seconds or tokens.expires_in
    if known is None and row.status == ConnectionStatus.ACTIVE and row.expires_at is not None:
        known = max(int((row.expires_at - row.updated_at).total_seconds()), 0) or None
    return replace(tokens, expires_in=known)


def _plan_renewal(
    provider: Provider,
    account: str,
    expires_at: datetime | None,
    last_chance: datetime | None,
    now: datetime,
) -> datetime | None:
    """Return when the token is renewed, by the settings of its provider.

    A token without a known end is renewed as if it lived `assumed_lifetime_seconds`.
    """
    if provider.renewal == "none":
        return expires_at
    assumed = timedelta(seconds=current_settings().oauth.assumed_lifetime_seconds)
    margin = provider.renewal_margin_seconds
    return plan_renewal(
        expires_at or now + assumed,
        f"{provider.name}:{account}",
        now,
        usual_margin=None if margin is None else timedelta(seconds=margin),
        minimum_gap=timedelta(seconds=provider.minimum_renewal_gap_seconds),
        is_late=provider.single_use_refresh_tokens,
        last_chance=last_chance,
    )
