"""Telling a provider that a token is not needed any more (RFC 7009)."""

from __future__ import annotations

import requests

from actors.errors import ProviderRefused
from actors.providers.provider import Provider
from actors.providers.token_endpoint import basic_authentication, client_credentials
from actors.providers.transport import check_available, guard
from catfeeder.sealing import Secret


def revoke_token(provider: Provider, token: Secret, hint: str) -> bool:
    """Revoke a token; false when the provider has no endpoint for it.

    `hint` is access_token or refresh_token (RFC 7009 section 2.1). A token that the provider does
    not know is as good as revoked and answered with success.

    Raises:
        ProviderRefused: The provider answered with an error.
        ProviderUnreachable: It did not answer in time.
    """
    if provider.revocation_endpoint is None:
        return False
    form = {"token": token.reveal(), "token_type_hint": hint, **client_credentials(provider)}
    session = requests.Session()
    guard(session)
    response = session.post(
        provider.revocation_endpoint, data=form, auth=basic_authentication(provider)
    )
    if check_available(response).status_code >= requests.codes.bad_request:
        raise ProviderRefused(_error_of(response))
    return True


def _error_of(response: requests.Response) -> str:
    try:
        return str(response.json()["error"])
    except (ValueError, TypeError, KeyError):
        return f"status {response.status_code}"
