"""Facebook: appsecret_proof on every call, /debug_token for lifetimes, permissions deleted."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final, TypeVar
from urllib.parse import urlencode, urlsplit

from actors.providers.errors import ProviderMisbehaved, ProviderRefused, ProviderUnreachable
from actors.providers.http.forms import post_form
from actors.providers.http.requests import get_json, read_json, send_delete
from actors.providers.protocol.client_authentication.methods import secret_text
from actors.providers.protocol.provider import Provider
from actors.telemetry.provider_calls import ProviderCall
from catfeeder.sealing import Secret

T = TypeVar("T")

#: Today's tokens live 60 days at most.
_MAX_LIFETIME_SECONDS: Final = 366 * 86400


def add_proof(provider: Provider, url: str, access_token: Secret) -> str:
    """Return a URL of the Graph API with `appsecret_proof`.

    It proves that the caller who holds the token holds the app's secret too. An app may be set to
    demand it.

    Raises:
        ProviderNotConfigured: There is no client_secret.
    """
    secret = secret_text(provider).encode()
    proof = hmac.new(secret, access_token.reveal_bytes(), hashlib.sha256).hexdigest()
    joint = "&" if urlsplit(url).query else "?"
    return url + joint + urlencode({"appsecret_proof": proof})


def get_json_with_proof(
    provider: Provider, url: str, access_token: Secret, headers: Mapping[str, str]
) -> Any:
    """Fetch JSON data, with the proof by each secret in turn until one is not refused.

    Raises:
        ProviderRefused, ProviderUnreachable, ProviderMisbehaved: As `get_json`.
    """

    def ask(client: Provider) -> Any:
        with ProviderCall(client.name, "user_info"):
            return get_json(add_proof(client, url, access_token), headers)

    return _try_each_proof(provider, ask)


def _try_each_proof(provider: Provider, ask: Callable[[Provider], T]) -> T:
    # A wrong proof has no error code of its own, so any refusal leads to the next secret.
    for secret in provider.earlier_client_secrets:
        try:
            return ask(provider)
        except ProviderRefused:
            provider = replace(provider, client_secret=secret)
    return ask(provider)


def fetch_lifetime(provider: Provider, access_token: Secret) -> int | None:
    """Return the seconds that a token still lives, as /debug_token states them.

    None where it states none or cannot be asked: the token itself is as good as before.
    """
    if provider.debug_token_endpoint is None:
        return None
    url = provider.debug_token_endpoint
    try:
        answer = _try_each_proof(provider, lambda client: _debug_token(client, url, access_token))
    except (ProviderRefused, ProviderUnreachable, ProviderMisbehaved):
        return None
    data = answer.get("data") if isinstance(answer, Mapping) else None
    expires_at = data.get("expires_at") if isinstance(data, Mapping) else None
    if not isinstance(expires_at, int) or isinstance(expires_at, bool):
        return None
    # 0 means that it never ends; the default lifetime then says when to look again.
    seconds = expires_at - int(time.time())
    return seconds if 0 < seconds <= _MAX_LIFETIME_SECONDS else None


def _debug_token(provider: Provider, url: str, access_token: Secret) -> Any:
    """Ask with the app's own token, which is its id and its secret.

    The Graph API reads a GET from a POST's form as well, and a token has no place in a URL.
    """
    app_token = Secret(f"{provider.client_id}|{secret_text(provider)}")
    form = {"method": "get", "input_token": access_token.reveal()}
    headers = {"Authorization": f"Bearer {app_token.reveal()}"}
    with ProviderCall(provider.name, "debug_token"):
        response = post_form(add_proof(provider, url, app_token), form, None, headers)
    return read_json(response)


def delete_permissions(provider: Provider, url: str, access_token: Secret) -> None:
    """Take back every permission that the user has given to the app.

    Raises:
        ProviderRefused, ProviderUnreachable, ProviderMisbehaved: The permissions still stand.
    """
    headers = {"Authorization": f"Bearer {access_token.reveal()}"}

    def delete(client: Provider) -> None:
        response = send_delete(add_proof(client, url, access_token), headers=headers)
        if response.status_code >= 300:
            raise ProviderRefused(f"status {response.status_code}")

    _try_each_proof(provider, delete)
