"""Asking a token endpoint: for a code, for a refresh token, and in Facebook's own way."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final
from urllib.parse import quote

import requests
from requests.auth import HTTPBasicAuth
from requests_oauthlib import OAuth2Session

from actors.errors import CodeInvalid, ProviderNotConfigured, TokenInvalid
from actors.providers.answers import is_visible_ascii
from actors.providers.provider import Provider
from actors.providers.token_answers import TokenResponse, read_tokens
from actors.providers.transport import failures_told, guard, post_form
from catfeeder.sealing import Secret

__all__ = [
    "TokenResponse",
    "basic_authentication",
    "client_credentials",
    "extend_facebook_token",
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
    more: dict[str, Any] = dict(client_credentials(provider))
    more["include_client_id"] = more.pop("client_id", None) is not None
    if code_verifier is not None:
        more["code_verifier"] = code_verifier.reveal()
    auth = basic_authentication(provider)
    return _asked(
        provider,
        lambda session: session.fetch_token(
            provider.token_endpoint, code=code.reveal(), auth=auth, **more
        ),
        redirect_uri,
    )


def use_refresh_token(provider: Provider, refresh_token: Secret) -> TokenResponse:
    """Ask for a new access token (RFC 6749 section 6).

    Where the answer holds no new refresh token, the given one stays in force and is returned.

    Raises:
        TokenInvalid: This is no token; the provider was not asked.
        ProviderRefused, ProviderMisbehaved, ProviderUnreachable: As `redeem_code`.
    """
    if not is_visible_ascii(refresh_token.reveal()):
        raise TokenInvalid
    credentials: dict[str, Any] = dict(client_credentials(provider))
    auth = basic_authentication(provider)
    tokens = _asked(
        provider,
        lambda session: session.refresh_token(
            provider.token_endpoint, refresh_token.reveal(), auth=auth, **credentials
        ),
    )
    return replace(tokens, refresh_token=tokens.refresh_token or refresh_token)


def extend_facebook_token(provider: Provider, access_token: Secret) -> TokenResponse:
    """Exchange a living token for one of about 60 days, in place of a refresh token.

    Raises:
        ProviderRefused, ProviderMisbehaved, ProviderUnreachable: As `redeem_code`.
    """
    form = {
        "grant_type": "fb_exchange_token",
        "fb_exchange_token": access_token.reveal(),
        **client_credentials(provider),
    }
    auth = basic_authentication(provider)
    return read_tokens(post_form(provider.token_endpoint, form, auth), provider)


def _asked(
    provider: Provider, ask: Callable[[OAuth2Session], Any], redirect_uri: str | None = None
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
    session.register_compliance_hook("refresh_token_response", read)
    with failures_told():
        ask(session)
    return answers[0]


def basic_authentication(provider: Provider) -> HTTPBasicAuth | None:
    """Return the Authorization header's content where the client authenticates by Basic.

    Both parts are encoded as in a form (RFC 6749 section 2.3.1), so that a colon in the one or a
    letter beyond ASCII in the other arrives as it is.
    """
    if provider.token_endpoint_auth_method != "client_secret_basic":
        return None
    return HTTPBasicAuth(quote(provider.client_id, safe=""), quote(_secret_text(provider), safe=""))


def client_credentials(provider: Provider) -> Mapping[str, str]:
    """Return what stands in the body: nothing for Basic, only client_id for public clients."""
    match provider.token_endpoint_auth_method:
        case "client_secret_basic":
            return {}
        case "none":
            return {"client_id": provider.client_id}
        case _:
            return {"client_id": provider.client_id, "client_secret": _secret_text(provider)}


def _secret_text(provider: Provider) -> str:
    if provider.client_secret is None:
        raise ProviderNotConfigured(f"The provider {provider.name} has no client_secret.")
    return provider.client_secret.reveal()
