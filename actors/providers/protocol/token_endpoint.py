"""Token endpoint (RFC 6749 section 3.2): redeems codes, uses refresh tokens, keeps raw answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, TypeAlias

import requests
from requests_oauthlib import OAuth2Session

from actors.errors import CodeInvalid, TokenInvalid
from actors.providers.http.answers import is_visible_ascii
from actors.providers.http.forms import Parameters
from actors.providers.http.quiet_logs import silence_http_logs
from actors.providers.protocol.client_authentication.methods import (
    client_credentials,
    try_each_secret,
)
from actors.providers.protocol.provider import Provider, TokenExchange
from actors.providers.protocol.quirks import facebook
from actors.providers.protocol.redirect_uris import redirect_uri_of
from actors.providers.protocol.tokens.answers import TokenResponse, read_tokens
from actors.providers.protocol.tokens.kept import deserialize_answer, serialize_answer
from actors.providers.protocol.tokens.requests import send_code, send_exchange, send_renewal
from actors.providers.protocol.tokens.targets import write_resources
from catfeeder.sealing import Secret

__all__ = [
    "KeepAnswer",
    "TokenResponse",
    "exchange_token",
    "read_answered_tokens",
    "read_kept_tokens",
    "redeem_code",
    "use_refresh_token",
]

_Send: TypeAlias = Callable[[Mapping[str, str]], requests.Response]

#: Receives each answer, serialized, before it is parsed; must not raise.
KeepAnswer = Callable[[Secret], None]

#: oauthlib parses this in place of the provider's answer, which `read_tokens` has parsed by then.
#: Over an answer that departs from the standard oauthlib would fail in ways of its own.
_PARSED_ANSWER: Final = json.dumps({"access_token": "read", "token_type": "Bearer"}).encode()


#: Shown to oauthlib in place of the token endpoint. It refuses every http URL unless an environment
#: variable of the whole process allows all; `check_url` is stricter and knows the exceptions.
_SHOWN_URL: Final = "https://token-endpoint.invalid/"


class _CodeSession(OAuth2Session):
    """Has oauthlib write the members of a token request, which `send` then sends in its own way."""

    def __init__(self, client_id: str, redirect_uri: str, send: _Send) -> None:
        super().__init__(client_id, redirect_uri=redirect_uri)
        self._send = send

    def request(self, method: str, url: str, **options: Any) -> requests.Response:  # type: ignore[override]
        """Send what oauthlib has written, past the check of the scheme in `OAuth2Session`."""
        del method, url
        response = self._send(options["data"])
        # requests_oauthlib logs its request; a URL or a body with secrets never comes near it.
        response.request = requests.PreparedRequest()
        return response


def redeem_code(
    provider: Provider,
    code: Secret,
    redirect_uri: str,
    code_verifier: Secret | None,
    repeated: Mapping[str, str] | None = None,
    *,
    resources: Sequence[str] = (),
) -> TokenResponse:
    """Exchange an authorization code (RFC 6749 section 4.1.3, RFC 7636 section 4.5).

    `repeated` are the callback's parameters that the provider wants once more, `resources` where
    the token is to be used (RFC 8707 section 2.2).

    Raises:
        CodeInvalid: The code has characters that no code has; nothing was sent.
        ProviderRefused: The provider answered with an error.
        ProviderMisbehaved: The answer holds no access token.
        ProviderUnreachable: No answer came in time; the code may have been used.
    """
    if not is_visible_ascii(code.reveal()):
        raise CodeInvalid
    verifier = {} if code_verifier is None else {"code_verifier": code_verifier.reveal()}

    def fetch(client: Provider) -> TokenResponse:
        def send(members: Mapping[str, str]) -> requests.Response:
            whole = {**members, **write_resources(client, resources)}
            return send_code(client, whole, repeated or {})

        return _fetch_tokens(
            client, code, _CodeSession(client.client_id, redirect_uri, send), verifier
        )

    return try_each_secret(provider, fetch)


def _fetch_tokens(
    client: Provider, code: Secret, session: _CodeSession, verifier: Mapping[str, str]
) -> TokenResponse:
    """Redeem a code with one client secret; oauthlib writes the request, we parse the answer."""
    parameters: dict[str, Any] = {**client_credentials(client), **verifier}
    parameters["include_client_id"] = parameters.pop("client_id", None) is not None
    answers: list[TokenResponse] = []

    def read(response: requests.Response) -> requests.Response:
        answers.append(read_tokens(response, client))
        response._content = _PARSED_ANSWER
        return response

    session.register_compliance_hook("access_token_response", read)
    with silence_http_logs():
        session.fetch_token(_SHOWN_URL, code=code.reveal(), **parameters)
    return answers[0]


def _keep_nothing(_answer: Secret) -> None:
    """Discard an answer: its caller waits for it, and no other process could use it."""


def use_refresh_token(
    provider: Provider,
    refresh_token: Secret,
    keep: KeepAnswer = _keep_nothing,
    metadata: Mapping[str, Any] | None = None,
    *,
    target: Parameters | None = None,
) -> TokenResponse:
    """Ask for a new access token (RFC 6749 section 6).

    Where the answer holds no new refresh token, the given one stays in force and is returned.
    `keep` receives each answer before it is parsed; `metadata` is that of the connection, and
    `target` a scope or resource that the token is to be for (RFC 8707 section 2.2).

    Raises:
        TokenInvalid: The token has characters that no token has; nothing was sent.
        ProviderRefused, ProviderMisbehaved, ProviderUnreachable: As `redeem_code`.
    """
    if not is_visible_ascii(refresh_token.reveal()):
        raise TokenInvalid
    form = {"grant_type": "refresh_token", "refresh_token": refresh_token.reveal()}

    def refresh(client: Provider) -> TokenResponse:
        whole: dict[str, str | list[str]] = {**form, **(target or {}), **client_credentials(client)}
        if client.redirect_uri_at_renewal:
            whole["redirect_uri"] = redirect_uri_of(client)
        return read_answered_tokens(client, send_renewal(client, whole, metadata or {}), keep)

    tokens = try_each_secret(provider, refresh)
    return tokens if tokens.refresh_token else replace(tokens, refresh_token=refresh_token)


def exchange_token(
    provider: Provider,
    exchange: TokenExchange,
    access_token: Secret,
    keep: KeepAnswer = _keep_nothing,
    metadata: Mapping[str, Any] | None = None,
) -> TokenResponse:
    """Exchange a living access token for a longer-lived one; `keep` as in `use_refresh_token`.

    Where the answer states no lifetime, `debug_token_endpoint` is asked for it.

    Raises:
        ProviderRefused, ProviderMisbehaved, ProviderUnreachable: As `redeem_code`.
    """

    def extend(client: Provider) -> TokenResponse:
        credentials = client_credentials(client) if exchange.parameters is None else {}
        response = send_exchange(client, exchange, access_token, credentials, metadata or {})
        tokens = read_answered_tokens(client, response, keep)
        if tokens.states_lifetime:
            return tokens
        lifetime = facebook.fetch_lifetime(client, tokens.access_token)
        if lifetime is None:
            return tokens
        return replace(tokens, expires_in=lifetime, states_lifetime=True)

    return try_each_secret(provider, extend)


def read_answered_tokens(
    provider: Provider, response: requests.Response, keep: KeepAnswer
) -> TokenResponse:
    """Return the tokens of an answer, which `keep` receives before it is parsed.

    Raises:
        ProviderRefused, ProviderMisbehaved, ProviderUnreachable: As `redeem_code`.
    """
    # An answer of a provider that is unavailable says nothing that would be read again.
    if response.status_code < requests.codes.too_many_requests:
        keep(serialize_answer(response))
    return read_tokens(response, provider)


def read_kept_tokens(provider: Provider, answer: Secret, asked_at: datetime) -> TokenResponse:
    """Return the tokens of an answer that `keep` received to a request of `asked_at`.

    Raises:
        ProviderRefused, ProviderMisbehaved, ProviderUnreachable: As `redeem_code`.
    """
    return read_tokens(deserialize_answer(answer), provider, asked_at)
