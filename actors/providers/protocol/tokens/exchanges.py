"""Token exchange (RFC 8693): an access token for one with another scope, resource or audience."""

from __future__ import annotations

from typing import Final

from actors.providers.errors import ProviderMisbehaved
from actors.providers.protocol.client_authentication.methods import (
    client_credentials,
    try_each_secret,
)
from actors.providers.protocol.provider import TOKEN_EXCHANGE, Provider
from actors.providers.protocol.tokens.answers import TokenResponse, read_tokens
from actors.providers.protocol.tokens.requests import send_grant
from actors.providers.protocol.tokens.targets import Target, write_target
from catfeeder.sealing import Secret

_ACCESS_TOKEN: Final = "urn:ietf:params:oauth:token-type:access_token"
#: The token_type of what is no access token (section 2.2.1).
_NOT_APPLICABLE: Final = "N_A"


def request_exchange(provider: Provider, subject: Secret, target: Target) -> TokenResponse:
    """Exchange a connection's access token for one of a target (RFC 8693 section 2.1).

    A refresh token is not used, should the answer have one: the connection's own renews it.

    Raises:
        ProviderRefused: The provider answered with an error, such as invalid_target.
        ProviderMisbehaved: The answer holds no access token.
        ProviderUnreachable: No answer came in time.
    """

    def ask(client: Provider) -> TokenResponse:
        form: dict[str, str | list[str]] = {
            "grant_type": TOKEN_EXCHANGE,
            "subject_token": subject.reveal(),
            "subject_token_type": _ACCESS_TOKEN,
            "requested_token_type": _ACCESS_TOKEN,
            **write_target(client, target),
            **client_credentials(client),
        }
        return read_tokens(send_grant(client, form), client)

    tokens = try_each_secret(provider, ask)
    if tokens.token_type.upper() == _NOT_APPLICABLE:
        raise ProviderMisbehaved("The provider's answer holds a token that is no access token.")
    return tokens
