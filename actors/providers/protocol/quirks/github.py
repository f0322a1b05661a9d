"""GitHub: a DELETE request that ends a grant."""

from __future__ import annotations

from actors.providers.errors import ProviderRefused
from actors.providers.http.requests import send_delete
from actors.providers.protocol.client_authentication.methods import basic_header, try_each_secret
from actors.providers.protocol.provider import Provider
from catfeeder.sealing import Secret


def delete_grant(provider: Provider, url: str, access_token: Secret) -> None:
    """End the grant that a token belongs to, with all tokens of this user and app.

    Raises:
        ProviderRefused, ProviderUnreachable, ProviderMisbehaved: The grant still stands.
    """

    def delete(client: Provider) -> None:
        body = {"access_token": access_token.reveal()}
        response = send_delete(url, json=body, auth=basic_header(client))
        if response.status_code == 401:
            raise ProviderRefused("invalid_client")
        # 404: the grant of this token has ended already.
        if response.status_code >= 300 and response.status_code != 404:
            raise ProviderRefused(f"status {response.status_code}")

    try_each_secret(provider, delete)
