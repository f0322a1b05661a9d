"""Asking a token endpoint: for a code, for a refresh token, and in Facebook's own way."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

import requests
from requests_oauthlib import OAuth2Session

from actors.errors import CodeInvalid, TokenInvalid
from actors.providers.http.answers import is_visible_ascii
from actors.providers.http.forms import post_form
from actors.providers.http.transport import failures_told, guard
from actors.providers.protocol.client_authentication import (
    basic_authentication,
    client_credentials,
    with_each_secret,
)
from actors.providers.protocol.kept_answers import Keep, read_kept, write_kept
from actors.providers.protocol.provider import Provider
from actors.providers.protocol.quirks import facebook
from actors.providers.protocol.redirect_uris import redirect_uri_of
from actors.providers.protocol.token_answers import TokenResponse, read_tokens
from catfeeder.sealing import Secret

__all__ = [
    "TokenResponse",
    "extend_facebook_token",
    "read_kept_tokens",
    "redeem_code",
    "use_refresh_token",
]

#: What oauthlib is handed in place of the provider's answer, which we have read by then: it would
#: fail in ways of its own over one that is not as the standard says.
_READ: Final = json.dumps({"access_token": "read", "token_type": "Bearer"}).encode()


def redeem_code(
    provider: Provider, code: Secret, redirect_uri: str, code_verifier: Secret | None
) -> TokenResponse:
    """Exchange an authorization code (RFC 6749 section 4.1.3, RFC 7636 section 4.5).

    Raises:
        CodeInvalid: This is no code; the provider was not asked.
        ProviderRefused: The provider answered with an error.
        ProviderMisbehaved: The answer holds no access token.
        ProviderUnreachable: No answer came in time; the code may have been used.
    """
    if not is_visible_ascii(code.reveal()):
        raise CodeInvalid
    verifier = {} if code_verifier is None else {"code_verifier": code_verifier.reveal()}

    def redeem(client: Provider) -> TokenResponse:
        more: dict[str, Any] = {**client_credentials(client), **verifier}
        more["include_client_id"] = more.pop("client_id", None) is not None
        auth = basic_authentication(client)
        return _asked(
            client,
            lambda session: session.fetch_token(
                client.token_endpoint, code=code.reveal(), auth=auth, **more
            ),
            redirect_uri,
        )

    return with_each_secret(provider, redeem)


def _keep_nothing(_answer: Secret) -> None:
    """Let go of an answer that somebody waits for, and that would be of no use to anybody else."""


def use_refresh_token(
    provider: Provider, refresh_token: Secret, keep: Keep = _keep_nothing
) -> TokenResponse:
    """Ask for a new access token (RFC 6749 section 6).

    Where the answer holds no new refresh token, the given one stays in force and is returned.
    `keep` is told of each answer before it is read.

    Raises:
        TokenInvalid: This is no token; the provider was not asked.
        ProviderRefused, ProviderMisbehaved, ProviderUnreachable: As `redeem_code`.
    """
    if not is_visible_ascii(refresh_token.reveal()):
        raise TokenInvalid

    form = {"grant_type": "refresh_token", "refresh_token": refresh_token.reveal()}

    def refresh(client: Provider) -> TokenResponse:
        whole = {**form, **client_credentials(client)}
        if client.redirect_uri_at_renewal:
            whole["redirect_uri"] = redirect_uri_of(client)
        return _posted(client, whole, keep)

    tokens = with_each_secret(provider, refresh)
    return replace(tokens, refresh_token=tokens.refresh_token or refresh_token)


def extend_facebook_token(
    provider: Provider, access_token: Secret, keep: Keep = _keep_nothing
) -> TokenResponse:
    """Exchange a living token for one of about 60 days, in place of a refresh token.

    An answer that does not tell how long it lives is followed by a question that does.

    Raises:
        ProviderRefused, ProviderMisbehaved, ProviderUnreachable: As `redeem_code`.
    """
    form = {"grant_type": "fb_exchange_token", "fb_exchange_token": access_token.reveal()}

    def extend(client: Provider) -> TokenResponse:
        untold = replace(client, default_lifetime_seconds=None)
        tokens = _posted(untold, {**form, **client_credentials(client)}, keep)
        if tokens.expires_in is not None:
            return tokens
        lifetime = facebook.lifetime_of(client, tokens.access_token)
        return replace(tokens, expires_in=lifetime or client.default_lifetime_seconds)

    return with_each_secret(provider, extend)


def _posted(provider: Provider, form: Mapping[str, str], keep: Keep) -> TokenResponse:
    response = post_form(provider.token_endpoint, form, basic_authentication(provider))
    keep(write_kept(response))
    return read_tokens(response, provider)


def read_kept_tokens(provider: Provider, answer: Secret) -> TokenResponse:
    """Return the tokens of an answer that was kept.

    Raises:
        ProviderRefused, ProviderMisbehaved, ProviderUnreachable: As `redeem_code`.
    """
    return read_tokens(read_kept(answer), provider)


def _asked(
    provider: Provider,
    ask: Callable[[OAuth2Session], Any],
    redirect_uri: str | None = None,
) -> TokenResponse:
    """Let oauthlib write the request, and read the answer ourselves."""
    session = OAuth2Session(provider.client_id, redirect_uri=redirect_uri)
    guard(session)
    answers: list[TokenResponse] = []

    def read(response: requests.Response) -> requests.Response:
        answers.append(read_tokens(response, provider))
        response._content = _READ
        return response

    session.register_compliance_hook("access_token_response", read)
    with failures_told():
        ask(session)
    return answers[0]
