"""Using a refresh token that an app keeps itself."""

from __future__ import annotations

from typing import Any

from actors.providers.config.discovery import resolve_provider
from actors.providers.protocol.token_endpoint import TokenResponse, use_refresh_token
from catfeeder.clock import utc_now
from catfeeder.sealing import Secret


def refresh_token(provider: str, refresh_token: Secret) -> dict[str, Any]:
    """Perform the message of the same name: return the token response of RFC 6749 section 5.1.

    Raises:
        TokenInvalid: This is no token.
        ProviderRefused, ProviderMisbehaved, ProviderUnreachable: The provider's part failed.
    """
    found = resolve_provider(provider, utc_now())
    return describe_tokens(use_refresh_token(found, refresh_token))


def describe_tokens(tokens: TokenResponse) -> dict[str, Any]:
    """Write a token response with the members of RFC 6749 section 5.1, none of them null."""
    answer = {
        "access_token": tokens.access_token.reveal(),
        "token_type": tokens.token_type,
        "expires_in": tokens.expires_in,
        "refresh_token": tokens.refresh_token.reveal() if tokens.refresh_token else None,
        "scope": tokens.scope,
        "id_token": tokens.id_token.reveal() if tokens.id_token else None,
    }
    return {name: value for name, value in answer.items() if value is not None}
