"""Telling a provider that a token is not needed any more (RFC 7009)."""

from __future__ import annotations

import requests

from actors.errors import ProviderRefused
from actors.providers.answers import parse_json
from actors.providers.provider import Provider
from actors.providers.token_endpoint import basic_authentication, client_credentials
from actors.providers.transport import post_form
from catfeeder.sealing import Secret


def revoke_token(provider: Provider, token: Secret, hint: str) -> bool:
    """Revoke a token; false when the provider has no endpoint for it.

    `hint` is access_token or refresh_token (RFC 7009 section 2.1). A token that the provider does
    not know is as good as revoked; some call it an error, though.

    Raises:
        ProviderRefused: The provider answered with an error.
        ProviderUnreachable: It did not answer in time.
    """
    if provider.revocation_endpoint is None:
        return False
    form = {"token": token.reveal(), "token_type_hint": hint, **client_credentials(provider)}
    response = post_form(provider.revocation_endpoint, form, basic_authentication(provider))
    if response.status_code >= requests.codes.multiple_choices:
        error = _error_of(response)
        if error != "invalid_token":
            raise ProviderRefused(error)
    return True


def _error_of(response: requests.Response) -> str:
    try:
        answer = parse_json(response.content)
    except ValueError:
        answer = None
    error = answer.get("error") if isinstance(answer, dict) else None
    return error if isinstance(error, str) else f"status {response.status_code}"
