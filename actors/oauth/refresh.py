"""Refresh tokens (RFC 6749 section 6) that an app keeps itself: used, and never stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from actors.errors import AuthError
from actors.events.audit import record
from actors.events.kinds import EventKind
from actors.providers.config.discovery import resolve_provider
from actors.providers.identity.id_tokens import verify_id_token
from actors.providers.protocol.filling import fill_request
from actors.providers.protocol.provider import Provider
from actors.providers.protocol.token_endpoint import TokenResponse, use_refresh_token
from catfeeder import results
from catfeeder.clock import utc_now
from catfeeder.sealing import Secret
from models.db.database import hold_connection


def refresh_token(
    provider: str, refresh_token: Secret, variables: Mapping[str, str] | None = None
) -> results.TokenResponse:
    """Perform `refresh_token`: return the token response of RFC 6749 section 5.1.

    `variables` fill in the provider's URLs, as at the sign-in that the token is from.

    Raises:
        ProviderUnknown, ProviderNotConfigured: As `resolve_provider`.
        VariablesInvalid: As `fill_request`.
        TokenInvalid: The text cannot be a token.
        ProviderRefused, ProviderMisbehaved, ProviderUnreachable: The provider's part failed.
    """
    now = utc_now()
    found = fill_request(resolve_provider(provider, now), variables)
    return describe_tokens(_check_identity(found, use_refresh_token(found, refresh_token), now))


def _check_identity(provider: Provider, tokens: TokenResponse, now: datetime) -> TokenResponse:
    """Leave out an id_token that does not hold, with an event: the app may sign a user in by it.

    The tokens are the app's in any case, as the refresh token may be spent. Whose they were before,
    the app alone knows.
    """
    if tokens.id_token is None or provider.issuer is None:
        return tokens
    try:
        verify_id_token(provider, tokens.id_token, None, now)
    except AuthError as error:
        with hold_connection():
            name, reason = provider.name, error.code
            kind = EventKind.IDENTITY_REFUSED
            record(kind, now=now, provider=name, reason=reason, detail=error.detail)
        return replace(tokens, id_token=None)
    return tokens


def describe_tokens(tokens: TokenResponse) -> results.TokenResponse:
    """Return tokens with the members of RFC 6749 section 5.1; what is not known is left out."""
    answer: results.TokenResponse = {
        "access_token": tokens.access_token.reveal(),
        "token_type": tokens.token_type,
    }
    if tokens.expires_in is not None:
        answer["expires_in"] = tokens.expires_in
    if tokens.refresh_token is not None:
        answer["refresh_token"] = tokens.refresh_token.reveal()
    if tokens.scope is not None:
        answer["scope"] = tokens.scope
    if tokens.id_token is not None:
        answer["id_token"] = tokens.id_token.reveal()
    if tokens.metadata:
        answer["metadata"] = dict(tokens.metadata)
    return answer
