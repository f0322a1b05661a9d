"""GitHub: a list of e-mail addresses of its own, and a DELETE request that ends a grant."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from actors.errors import ProviderRefused
from actors.providers.http.requests import send_delete
from actors.providers.protocol.client_authentication import basic_header, try_each_secret
from actors.providers.protocol.provider import Provider
from catfeeder.sealing import Secret


def primary_email(fetch_emails: Callable[[], Any]) -> dict[str, Any]:
    """Return the primary address if it is verified; `email` of the user is only the public one.

    Without permission for the list the result is empty, and the public address stays, unverified.
    """
    try:
        entries = fetch_emails()
    except ProviderRefused:
        return {}
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, dict) and entry.get("primary") and entry.get("verified") is True:
            return {"email": entry.get("email"), "email_verified": True}
    return {"email": None, "email_verified": None}


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
