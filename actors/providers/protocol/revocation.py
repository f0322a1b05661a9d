"""Token revocation: by RFC 7009, or by the way of GitHub, Facebook or Slack."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import quote

import requests

from actors.errors import AuthError
from actors.providers.errors import ProviderRefused
from actors.providers.http.answers import error_of, parse_json
from actors.providers.http.forms import post_form
from actors.providers.protocol.client_authentication.methods import (
    authorization_of,
    client_credentials,
    try_each_secret,
)
from actors.providers.protocol.failure_words import ErrorAnswer
from actors.providers.protocol.filling import check_filled
from actors.providers.protocol.provider import Provider
from actors.providers.protocol.quirks import facebook, github, slack
from actors.telemetry.provider_calls import ProviderCall
from catfeeder.sealing import Secret

#: The codes of answers whose sentences say that a token is not known.
_ABOUT_THE_TOKEN: Final = ("", "invalid_request", "invalid_grant", "token_not_found", "not_found")


@dataclass(frozen=True, slots=True)
class Revoked:
    """The names of the tokens that the provider has revoked, and whether those are all."""

    tokens: tuple[str, ...]
    is_complete: bool
    failures: tuple[AuthError, ...] = ()


def revoke_grant(
    provider: Provider, access_token: Secret | None, refresh_token: Secret | None
) -> Revoked:
    """Revoke the tokens of a grant; none without an endpoint.

    By RFC 7009 each token is revoked by itself, the refresh token first: a provider that ends the
    whole grant with it accepts the access token's request all the same, and others would let the
    access token work until its end.

    Raises:
        ProviderRefused: The provider answered its own way with an error.
        ProviderUnreachable: It did not answer that in time.
        ProviderMisbehaved: The endpoint needs a member that the token answer had not.
    """
    named = {"refresh_token": refresh_token, "access_token": access_token}
    held = {name: token for name, token in named.items() if token is not None}
    url = provider.revocation_endpoint
    if url is None or not held or provider.revocation == "none":
        return Revoked((), is_complete=False)
    check_filled(url, "revocation_endpoint")
    if provider.revocation == "rfc7009":
        return _revoke_each(provider, held)
    if access_token is None:
        return Revoked((), is_complete=False)
    _revoke_by_quirk(provider, url, access_token)
    return Revoked(tuple(held), is_complete=True)


def _revoke_by_quirk(provider: Provider, url: str, access_token: Secret) -> None:
    """Revoke a grant the provider's own way, by its access token."""
    url = url.replace("{client_id}", quote(provider.client_id, safe=""))
    with ProviderCall(provider.name, "revocation"):
        match provider.revocation:
            case "github_grant":
                github.delete_grant(provider, url, access_token)
            case "facebook_permissions":
                facebook.delete_permissions(provider, url, access_token)
            case _:
                slack.revoke(url, access_token)


def _revoke_each(provider: Provider, held: Mapping[str, Secret]) -> Revoked:
    revoked: list[str] = []
    failures: list[AuthError] = []
    for name, token in held.items():
        try:
            revoke_token(provider, token, name)
        except AuthError as error:
            failures.append(error)
        else:
            revoked.append(name)
    return Revoked(tuple(revoked), is_complete=not failures, failures=tuple(failures))


def revoke_token(provider: Provider, token: Secret, hint: str) -> bool:
    """Revoke a token by RFC 7009; return False when the provider has no endpoint for it.

    `hint` is access_token or refresh_token (RFC 7009 section 2.1). A token unknown to the provider
    counts as revoked, even if the provider calls that an error.

    Raises:
        ProviderRefused: The provider answered with an error.
        ProviderUnreachable: It did not answer in time.
    """
    url = provider.revocation_endpoint
    if url is None:
        return False
    form = {"token": token.reveal(), "token_type_hint": hint}

    def revoke(client: Provider) -> None:
        whole = {**form, **client_credentials(client)}
        with ProviderCall(client.name, "revocation"):
            response = post_form(url, whole, authorization_of(client))
        error = _error_of(response)
        if error is not None:
            raise ProviderRefused(error)

    try_each_secret(_client_at_revocation(provider), revoke)
    return True


def _client_at_revocation(provider: Provider) -> Provider:
    """Return the provider with the client authentication of its revocation endpoint."""
    method = provider.revocation_endpoint_auth_method
    if method is None:
        return provider
    other = "raw" if provider.client_secret_basic_encoding == "form" else "form"
    fallback = {"client_secret_basic_encoding": other} if method == "client_secret_basic" else None
    # What is learned here is of this endpoint alone.
    return replace(provider, token_endpoint_auth_method=method, basic_fallback=fallback, learn=None)


def _error_of(response: requests.Response) -> str | None:
    """Return the error code of an answer, else its status; None for success.

    A token that the provider does not know is revoked, whatever the provider calls that.
    """
    if response.status_code < requests.codes.multiple_choices:
        return None
    try:
        answer = parse_json(response.content)
    except ValueError:
        answer = None
    told = answer if isinstance(answer, dict) else {}
    error = error_of(told) or ""
    words = ErrorAnswer(told, error, response.status_code)
    is_unknown = error in _ABOUT_THE_TOKEN and words.tells_dead_token("token")
    if error == "invalid_token" or is_unknown:
        return None
    return error or f"status {response.status_code}"
