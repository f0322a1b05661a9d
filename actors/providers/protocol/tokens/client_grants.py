"""Token requests without a user: client_credentials, JWT bearer, and GitHub's installations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import requests

from actors.errors import FailureKind
from actors.providers.errors import ProviderRefused
from actors.providers.http.forms import send_parameters
from actors.providers.protocol.client_authentication.assertions import sign_claims
from actors.providers.protocol.client_authentication.methods import (
    choose_audience,
    client_credentials,
    try_each_secret,
)
from actors.providers.protocol.placements import fill_template, list_placeholders
from actors.providers.protocol.provider import CLIENT_CREDENTIALS, GITHUB_APP, JWT_BEARER, Provider
from actors.providers.protocol.token_endpoint import KeepAnswer, TokenResponse, read_answered_tokens
from actors.providers.protocol.tokens.requests import send_code
from actors.telemetry.provider_calls import ProviderCall
from catfeeder.sealing import Secret

#: The renewal of a connection whose next token is asked for with its credentials.
BY_CREDENTIALS: Final = "credentials"
_SECRET_METHODS: Final = ("client_secret_basic", "client_secret_post")
#: GitHub refuses a JWT of the future by its own clock, and one of more than ten minutes.
_GITHUB_SKEW_SECONDS: Final = 60
_GITHUB_HEADERS: Final = {
    "Accept": "application/vnd.github+json",
    "X-GitHub-Api-Version": "2022-11-28",
}


def adapt_provider(provider: Provider, kind: str, members: Mapping[str, str]) -> Provider:
    """Return a provider as a connection's credentials see it: nothing of sign-ins holds."""
    adapted = replace(
        provider,
        renewal=BY_CREDENTIALS,
        renewal_exchange=None,
        single_use_refresh_tokens=False,
        refresh_token_grace_seconds=0,
        token_answer="standard",
    )
    if kind == CLIENT_CREDENTIALS and members.get("client_secret"):
        secret = Secret(members["client_secret"])
        own: dict[str, Any] = {"client_id": members["client_id"], "client_secret": secret}
        return replace(adapted, **own, earlier_client_secrets=(), learn=None)
    if members.get("private_key"):
        key = Secret(members["private_key"])
        adapted = replace(adapted, private_key=key, key_id=members.get("kid"), certificate=None)
    if kind == JWT_BEARER:
        return _adapt_authentication(adapted, members)
    paths = {"access_token": "token", **provider.token_response_paths}
    return replace(adapted, token_response_paths=paths) if kind == GITHUB_APP else adapted


def _adapt_authentication(provider: Provider, members: Mapping[str, str]) -> Provider:
    """Let the client authenticate beside an assertion of its own alone (RFC 7521 section 4.1)."""
    is_own = members.get("iss") == provider.client_id and provider.client_secret is not None
    if is_own or provider.token_endpoint_auth_method not in _SECRET_METHODS:
        return provider
    return replace(provider, token_endpoint_auth_method="none", basic_fallback=None)


def request_token(
    provider: Provider, kind: str, members: Mapping[str, str], keep: KeepAnswer
) -> TokenResponse:
    """Ask for an access token; `provider` is an adapted one, and `keep` gets each answer.

    A refresh token is not used, should the answer have one (RFC 6749 section 4.4.3).

    Raises:
        ProviderNotConfigured: A key or a secret is missing or unusable.
        ProviderRefused, ProviderMisbehaved, ProviderUnreachable: The provider's part failed.
    """

    def ask(client: Provider) -> TokenResponse:
        if kind == GITHUB_APP:
            response = _ask_github(client, members)
        else:
            response = send_code(client, _write_form(client, kind, members), {})
        return read_answered_tokens(client, response, keep)

    try:
        tokens = try_each_secret(provider, ask)
    except ProviderRefused as error:
        is_own = members.keys() & {"client_secret", "private_key"}
        if is_own and error.kind is FailureKind.CLIENT_MISCONFIGURED:
            # The connection's own client is refused, which says nothing about any other's.
            error.kind = FailureKind.GRANT_DEAD
        raise
    return replace(tokens, refresh_token=None)


def _write_form(client: Provider, kind: str, members: Mapping[str, str]) -> dict[str, str]:
    """Return the form of RFC 6749 section 4.4.2 or RFC 7523 section 2.1."""
    form = {"grant_type": kind}
    # Beside an assertion client_id serves client authentication alone (RFC 7521 section 4.1).
    if kind != JWT_BEARER or client.token_endpoint_auth_method != "none":
        form |= client_credentials(client)
    has_scope = bool(members.get("scope"))
    if kind == JWT_BEARER:
        form["assertion"] = _sign(client, members)
        texts = client.assertion_claims.values()
        has_scope = has_scope and not any("scope" in list_placeholders(text) for text in texts)
    if has_scope:
        form["scope"] = client.scope_separator.join(members["scope"].split())
    return form


def _sign(client: Provider, members: Mapping[str, str]) -> str:
    """Return the assertion (RFC 7523 section 3); a claim without a value is left out."""
    values = {"client_id": client.client_id, **members}
    named = {"iss": members["iss"], "sub": members.get("sub", ""), "aud": choose_audience(client)}
    more = {name: fill_template(text, values) for name, text in client.assertion_claims.items()}
    claims = {name: text for name, text in {**named, **more}.items() if text}
    return sign_claims(client, claims, client.assertion_lifetime_seconds)


def _ask_github(client: Provider, members: Mapping[str, str]) -> requests.Response:
    """Ask for the token of an installation, with a JWT of the app."""
    lifetime = client.assertion_lifetime_seconds
    token = sign_claims(client, {"iss": client.client_id}, lifetime, _GITHUB_SKEW_SECONDS)
    url = fill_template(client.installation_token_endpoint or "", members)
    headers = {**_GITHUB_HEADERS, "Authorization": f"Bearer {token}"}
    with ProviderCall(client.name, "grant"):
        return send_parameters(url, {}, None, headers, encoding="json", is_any_status=True)
