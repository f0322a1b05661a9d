"""GitHub: the address that counts stands in a list of its own, and a grant is deleted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from actors.errors import ProviderRefused
from actors.providers.http.requests import send_delete
from actors.providers.protocol.client_authentication import basic_header, try_each_secret
from actors.providers.protocol.provider import Provider
from catfeeder.sealing import Secret


def primary_email(fetch_emails: Callable[[], Any]) -> dict[str, Any]:
    """Return the primary and verified address; `email` of the user is only the public one.

    An app without the permission is refused the list, and the public address stays, of which
    nothing is known.
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
        ProviderRefused, ProviderUnreachable, ProviderMisbehaved: It was not ended.
    """

    def delete(client: Provider) -> None:
        body = {"access_token": access_token.reveal()}
        response = send_delete(url, json=body, auth=basic_header(client))
        if response.status_code == 401:
            raise ProviderRefused("invalid_client")
        # A token that is not known any more has no grant that could be ended.
        if response.status_code >= 300 and response.status_code != 404:
            raise ProviderRefused(f"status {response.status_code}")

    try_each_secret(provider, delete)
