"""Refresh tokens (RFC 6749 section 6) that an app keeps itself: used, and never stored."""

from __future__ import annotations

from actors.providers.config.discovery import resolve_provider
from actors.providers.protocol.token_endpoint import TokenResponse, use_refresh_token
from catfeeder import results
from catfeeder.clock import utc_now
from catfeeder.sealing import Secret


def refresh_token(provider: str, refresh_token: Secret) -> results.TokenResponse:
    """Perform `refresh_token`: return the token response of RFC 6749 section 5.1.

    Raises:
        ProviderUnknown, ProviderNotConfigured: As `resolve_provider`.
        TokenInvalid: The text cannot be a token.
        ProviderRefused, ProviderMisbehaved, ProviderUnreachable: The provider's part failed.
    """
    found = resolve_provider(provider, utc_now())
    return describe_tokens(use_refresh_token(found, refresh_token))


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
    return answer
