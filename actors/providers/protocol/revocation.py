"""Token revocation: by RFC 7009, or by the way of GitHub, Facebook or Slack."""

from __future__ import annotations

from urllib.parse import quote

import requests

from actors.errors import ProviderRefused
from actors.providers.http.answers import error_of, parse_json
from actors.providers.http.forms import post_form
from actors.providers.protocol.client_authentication import (
    basic_authentication,
    client_credentials,
    try_each_secret,
)
from actors.providers.protocol.provider import Provider
from actors.providers.protocol.quirks import facebook, github, slack
from catfeeder.sealing import Secret


def revoke_grant(
    provider: Provider, access_token: Secret | None, refresh_token: Secret | None
) -> bool:
    """End the grant of these tokens; return False without tokens or without an endpoint.

    Raises:
        ProviderRefused: The provider answered with an error.
        ProviderUnreachable: It did not answer in time.
    """
    url = provider.revocation_endpoint
    if url is None or (access_token is None and refresh_token is None):
        return False
    if provider.revocation == "rfc7009":
        # The refresh token ends the whole grant.
        if refresh_token is not None:
            return revoke_token(provider, refresh_token, "refresh_token")
        return access_token is not None and revoke_token(provider, access_token, "access_token")
    if access_token is None:
        return False
    url = url.replace("{client_id}", quote(provider.client_id, safe=""))
    match provider.revocation:
        case "github_grant":
            github.delete_grant(provider, url, access_token)
        case "facebook_permissions":
            facebook.delete_permissions(provider, url, access_token)
        case _:
            slack.revoke(url, access_token)
    return True


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
        response = post_form(
            url, {**form, **client_credentials(client)}, basic_authentication(client)
        )
        error = _error_of(response)
        if error not in (None, "invalid_token"):
            raise ProviderRefused(str(error))

    try_each_secret(provider, revoke)
    return True


def _error_of(response: requests.Response) -> str | None:
    """Return the error code of an answer, else its status; None for success."""
    if response.status_code < requests.codes.multiple_choices:
        return None
    try:
        answer = parse_json(response.content)
    except ValueError:
        answer = None
    error = error_of(answer) if isinstance(answer, dict) else None
    return error or f"status {response.status_code}"
