"""Stored grant: tokens that were granted become the connection of the account that they are of."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from actors.connections.forecasts import forecast_consent_end
from actors.connections.grants import GrantRequest, build_grant
from actors.errors import IdTokenInvalid
from actors.events.audit import record
from actors.events.kinds import EventKind
from actors.providers.errors import ProviderUnreachable
from actors.providers.identity.authentication import Authentication, Demands, read_authentication
from actors.providers.identity.id_tokens import verify_id_token
from actors.providers.identity.user_info import fetch_profile
from actors.providers.protocol.filling import fill_members
from actors.providers.protocol.provider import Provider
from actors.providers.protocol.token_endpoint import TokenResponse, exchange_token
from catfeeder.results import Profile
from catfeeder.sealing import Secret
from models.oauth.connections import TAB_CONNECTIONS
from models.oauth.upserts import Owner, store_connection

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantOrigin:
    """What a grant was asked for, for which user of which app, and what its answer must prove."""

    app: str
    subject: str
    scope: str
    #: What tells the account where neither the provider nor the app names one.
    key: str
    variables: Mapping[str, str] | None = None
    nonce: Secret | None = None
    demands: Demands = field(default_factory=Demands)
    #: What the tokens are for (RFC 8707).
    resources: Sequence[str] = ()
    #: The id of the connection, where the account has none yet.
    connection_id: str | None = None
    #: Members of the event.
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class User:
    """The user of a sign-in, and the login that its id_token states."""

    profile: Profile
    authentication: Authentication


def extend_lifetime(provider: Provider, tokens: TokenResponse) -> TokenResponse:
    """Exchange a token of hours for one of months, where the provider has such an exchange."""
    if provider.long_lived_token is None:
        return tokens
    exchange = provider.long_lived_token
    try:
        extended = exchange_token(provider, exchange, tokens.access_token, metadata=tokens.metadata)
    except ProviderUnreachable as error:
        if provider.renewal_exchange != exchange:
            raise
        return _keep_short_token(provider, tokens, error)
    return replace(
        extended,
        refresh_token=extended.refresh_token or tokens.refresh_token,
        scope=tokens.scope if extended.scope is None else extended.scope,
        metadata={**tokens.metadata, **extended.metadata},
    )


def _keep_short_token(
    provider: Provider, tokens: TokenResponse, error: ProviderUnreachable
) -> TokenResponse:
    """Return a token of hours, which its renewal exchanges; the usual lifetime is not its own."""
    text = "The token of %s is not exchanged for a longer-lived one before its renewal: %s"
    _LOG.warning(text, provider.name, error.detail, extra={"provider": provider.name})
    return tokens if tokens.states_lifetime else replace(tokens, expires_in=None)


def store_tokens(
    provider: Provider, tokens: TokenResponse, origin: GrantOrigin, user: User, now: datetime
) -> TAB_CONNECTIONS:
    """Store the connection of a grant, and record it; call it in a transaction."""
    profile, requested_scope = user.profile, origin.scope
    if tokens.account is not None and tokens.account.get("token_of") == "user":
        requested_scope = provider.authorization_parameters.get("user_scope", "").replace(",", " ")
    end = forecast_consent_end(provider, tokens, now)
    account = profile["subject"] or origin.subject or origin.key
    grant = build_grant(provider, tokens, GrantRequest(account, requested_scope), now, end=end)
    grant = replace(grant, sign_in=_describe_sign_in(origin, user.authentication))
    connection = store_connection(
        Owner(app=origin.app, provider=provider.name, subject=origin.subject),
        profile=profile,
        grant=grant,
        now=now,
        told_once=provider.told_once,
        variables=origin.variables,
        connection_id=origin.connection_id,
    )
    record(EventKind.EXCHANGED, now=now, connection=connection, **origin.detail)
    if grant.missing_scope:
        missing = grant.missing_scope.split()
        record(EventKind.SCOPE_MISSING, now=now, connection=connection, scopes=missing)
    return connection


def _describe_sign_in(origin: GrantOrigin, authentication: Authentication) -> dict[str, Any] | None:
    """Return what is kept of a sign-in: the resources that it was for, and the login behind it."""
    resources = {"resource": list(origin.resources)} if origin.resources else {}
    return {**resources, **authentication} or None


def identify(provider: Provider, tokens: TokenResponse, origin: GrantOrigin, now: datetime) -> User:
    """Return the user whose tokens these are.

    Raises:
        IdTokenInvalid: The id_token is missing or not valid.
        ProviderError: As `fetch_profile`.
    """
    claims: Mapping[str, Any] | None = tokens.account
    authentication: Authentication = {}
    if provider.yields_id_token(origin.scope.split()):
        if tokens.id_token is None:
            raise IdTokenInvalid("The provider's answer holds no id_token.")
        nonce, demands = origin.nonce, origin.demands
        claims = verify_id_token(provider, tokens.id_token, nonce, now, demands=demands)
        authentication = read_authentication(claims)
    asked = fill_members(provider, tokens.metadata)
    profile = fetch_profile(asked, tokens.access_token, claims, is_sign_in=True)
    return User(profile, authentication)
