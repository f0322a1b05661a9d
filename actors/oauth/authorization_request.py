"""Authorization request (RFC 6749 section 4.1.1) with state, nonce and PKCE (RFC 7636)."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode, urlsplit

from actors.oauth.offline_access import ask_for_offline_access
from actors.oauth.request_parameters import find_max_age, write_parameters
from actors.providers.protocol.provider import Provider
from actors.providers.protocol.redirect_uris import redirect_uri_of
from catfeeder.sealing import Secret
from catfeeder.sign_in_options import RequestParameters

#: A state, nonce or verifier cannot be guessed: 256 bits, where RFC 6749 asks for 128.
_RANDOM_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """What is sent to the provider, and with it what the answer is checked against."""

    redirect_uri: str
    scopes: list[str]
    state: Secret
    nonce: Secret | None
    verifier: Secret | None
    #: The settings' parameters, and in their place those of this sign-in.
    parameters: Mapping[str, str]
    max_age: int | None


def build_request(
    provider: Provider, scope: str | None, offline_access: bool | None, asked: RequestParameters
) -> AuthorizationRequest:
    """Return a new request for `scope`, or for the provider's usual scopes.

    `offline_access` as the app wishes, None as the provider's settings say; `asked` are the
    parameters of this sign-in.

    Raises:
        RequestParameterInvalid: A parameter is outside its grammar, or cannot be checked.
    """
    scopes, parameters = ask_for_offline_access(
        provider,
        (scope or "").split() or provider.scopes,
        provider.authorization_parameters,
        requested=write_parameters(asked),
        is_wanted=offline_access,
    )
    has_id_token = provider.yields_id_token(scopes)
    uses_nonce = provider.uses_nonce and has_id_token
    return AuthorizationRequest(
        redirect_uri=redirect_uri_of(provider),
        scopes=scopes,
        state=Secret(f"{secrets.token_urlsafe(_RANDOM_BYTES)}:{provider.public_name}"),
        nonce=_make_secret() if uses_nonce else None,
        verifier=_make_secret() if provider.uses_pkce else None,
        parameters=parameters,
        max_age=find_max_age(provider, parameters, has_id_token=has_id_token),
    )


def _make_secret() -> Secret:
    return Secret(secrets.token_urlsafe(_RANDOM_BYTES))


def write_authorization_url(provider: Provider, request: AuthorizationRequest) -> str:
    """Return the URL that takes the browser to the provider."""
    query = {
        **request.parameters,
        "response_type": "code",
        "client_id": provider.client_id,
        "redirect_uri": request.redirect_uri,
        "state": request.state.reveal(),
    }
    if request.scopes:
        query["scope"] = provider.scope_separator.join(request.scopes)
    if request.nonce is not None:
        query["nonce"] = request.nonce.reveal()
    if request.verifier is not None:
        query["code_challenge"] = compute_code_challenge(request.verifier)
        query["code_challenge_method"] = "S256"
    joint = "&" if urlsplit(provider.authorization_endpoint).query else "?"
    return provider.authorization_endpoint + joint + urlencode(query)


def compute_code_challenge(verifier: Secret) -> str:
    """Return the S256 challenge of a verifier (RFC 7636 section 4.2)."""
    digest = hashlib.sha256(verifier.reveal_bytes()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
