"""User info requests (OpenID Connect Core section 5.3.1), in the form that a provider wants.

A token in a URL is never logged: the guarded transport drops what HTTP libraries log, and our own
errors name no URL.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

import requests

from actors.errors import IdTokenInvalid, TokenInvalid
from actors.providers.errors import ProviderMisbehaved
from actors.providers.http.answers import is_visible_ascii
from actors.providers.http.requests import read_json, send
from actors.providers.identity.id_tokens import check_audience, check_issuer
from actors.providers.identity.profiles import user_claims
from actors.providers.identity.signatures import verify_signature
from actors.providers.protocol.filling import check_filled
from actors.providers.protocol.keys import shared_key_cache
from actors.providers.protocol.provider import Provider
from actors.providers.protocol.quirks import facebook
from actors.telemetry.provider_calls import ProviderCall
from catfeeder.sealing import Secret

_ACCEPT: Final = {"Accept": "application/json, application/jwt;q=0.9"}
#: What a URL or a header holds in place of the access token, and of the client_id.
_TOKEN: Final = "{access_token}"
#: What stands before the first dot, and names the user: the rest is the secret.
_FIRST_PART: Final = "{access_token.0}"
_CLIENT: Final = "{client_id}"


def ask_for_user_info(provider: Provider, url: str, access_token: Secret) -> Any:
    """Fetch user info, which may be signed (OpenID Connect Core sections 5.3.1 and 5.3.2).

    Raises:
        TokenInvalid: The token has characters that no token has; nothing was sent.
        ProviderRefused, ProviderMisbehaved, ProviderUnreachable, AddressForbidden: As `get_json`;
            or the URL lacks a member of the token answer.
    """
    url, headers = _write(provider, check_filled(url, "userinfo_endpoint"), access_token)
    if provider.appsecret_proof:
        return facebook.get_json_with_proof(provider, url, access_token, headers)
    headers |= {name: it for name, it in _ACCEPT.items() if name not in headers}
    body = _write_body(provider, access_token)
    with ProviderCall(provider.name, "user_info"):
        response = send(provider.userinfo_method, url, headers=headers, **body)
    if response.status_code == requests.codes.method_not_allowed and not body:
        # Both methods are the standard's, and some providers have one of them alone.
        other = "GET" if provider.userinfo_method == "POST" else "POST"
        with ProviderCall(provider.name, "user_info"):
            response = send(other, url, headers=headers)
    media_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if response.ok and media_type == "application/jwt":
        return _open_signed(provider, response.text.strip())
    return read_json(response)


def ask_beside_user_info(provider: Provider, url: str, access_token: Secret) -> Any:
    """Fetch what stands at another URL, such as a list of addresses; raises as above."""
    url, headers = _write(provider, check_filled(url, "emails_endpoint"), access_token)
    if provider.appsecret_proof:
        return facebook.get_json_with_proof(provider, url, access_token, headers)
    with ProviderCall(provider.name, "emails"):
        response = send("GET", url, headers=headers)
    return read_json(response)


def _write(provider: Provider, url: str, access_token: Secret) -> tuple[str, dict[str, str]]:
    """Return the URL and the headers, with the token where the provider wants it."""
    token = access_token.reveal()
    if not is_visible_ascii(token):
        raise TokenInvalid
    wanted = provider.userinfo_headers
    headers = {
        name: text.replace(_CLIENT, provider.client_id).replace(_TOKEN, token)
        for name, text in wanted.items()
    }
    url = url.replace(_FIRST_PART, quote(token.partition(".")[0], safe=""))
    if _TOKEN in url:
        return url.replace(_TOKEN, quote(token, safe="")), headers
    if any(_TOKEN in text for text in wanted.values()):
        return url, headers
    match provider.userinfo_token_location:
        case "query":
            joint = "&" if urlsplit(url).query else "?"
            return url + joint + urlencode({"access_token": token}), headers
        case "header":
            headers["Authorization"] = f"{provider.userinfo_token_scheme} {token}".strip()
    return url, headers


def _write_body(provider: Provider, access_token: Secret) -> Mapping[str, Any]:
    """Return the body as `requests` takes it: JSON such as a GraphQL query, or a form."""
    is_in_body = provider.userinfo_token_location == "body"
    token = {"access_token": access_token.reveal()} if is_in_body else {}
    if provider.userinfo_body is not None:
        return {"json": {**provider.userinfo_body, **token}}
    return {"data": token} if token else {}


def _open_signed(provider: Provider, text: str) -> dict[str, Any]:
    """Return the claims of signed user info; `iss` and `aud` have to be right if they are there."""
    try:
        claims = verify_signature(provider, text, shared_key_cache(), name="user info")
        if "iss" in claims and provider.issuer is not None:
            check_issuer(provider, claims, name="user info")
        if "aud" in claims:
            check_audience(provider, claims, name="user info")
    except IdTokenInvalid as error:
        raise ProviderMisbehaved(error.detail) from None
    return user_claims(claims)
