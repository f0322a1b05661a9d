"""Facebook: each call proves that its caller has the app's secret, and permissions are deleted."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar
from urllib.parse import urlencode, urlsplit

from actors.errors import ProviderRefused
from actors.providers.client_authentication import secret_text
from actors.providers.provider import Provider
from actors.providers.transport import get_json, send_delete
from catfeeder.sealing import Secret

T = TypeVar("T")


def proven(provider: Provider, url: str, access_token: Secret) -> str:
    """Return a URL of the Graph API with the proof that whoever holds the token also holds the
    app's secret; an app may be set to demand it.

    Raises:
        ProviderNotConfigured: There is no client_secret.
    """
    secret = secret_text(provider).encode()
    proof = hmac.new(secret, access_token.reveal_bytes(), hashlib.sha256).hexdigest()
    joint = "&" if urlsplit(url).query else "?"
    return url + joint + urlencode({"appsecret_proof": proof})


def get_proven(
    provider: Provider, url: str, access_token: Secret, headers: Mapping[str, str]
) -> Any:
    """Fetch JSON data, with the proof by each secret in turn until one is not refused.

    Raises:
        ProviderRefused, ProviderUnreachable, ProviderMisbehaved: As `transport.get_json`.
    """
    return _with_each_proof(
        provider, lambda client: get_json(proven(client, url, access_token), headers)
    )


def _with_each_proof(provider: Provider, ask: Callable[[Provider], T]) -> T:
    # A proof that does not hold has no error code of its own.
    for secret in provider.earlier_client_secrets:
        try:
            return ask(provider)
        except ProviderRefused:
            provider = replace(provider, client_secret=secret)
    return ask(provider)


def delete_permissions(provider: Provider, url: str, access_token: Secret) -> None:
    """Take back all that the user has permitted to the app.

    Raises:
        ProviderRefused, ProviderUnreachable, ProviderMisbehaved: It was not taken back.
    """
    headers = {"Authorization": f"Bearer {access_token.reveal()}"}

    def delete(client: Provider) -> None:
        response = send_delete(proven(client, url, access_token), headers=headers)
        if response.status_code >= 300:
            raise ProviderRefused(f"status {response.status_code}")

    _with_each_proof(provider, delete)
