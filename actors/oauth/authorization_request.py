"""Authorization request (RFC 6749 section 4.1.1) with state, nonce and PKCE (RFC 7636)."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode, urlsplit

from actors.oauth.offline_access import ask_for_offline_access
from actors.oauth.request_parameters import (
    find_acr_demand,
    find_max_age,
    read_asked_resources,
    request_essential_acr,
    write_parameters,
)
from actors.providers.identity.authentication import AcrDemand
from actors.providers.protocol.provider import Provider
from actors.providers.protocol.redirect_uris import redirect_uri_of
from catfeeder.sealing import Secret
from catfeeder.verbs.sign_in_options import RequestParameters

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
    acr: AcrDemand | None = None
    #: Where the token is to be used (RFC 8707 section 2.1).
    resources: Sequence[str] = ()


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
    max_age = find_max_age(provider, parameters, has_id_token=has_id_token)
    acr = find_acr_demand(asked, parameters, has_id_token=has_id_token)
    if acr is not None and acr.is_essential and provider.claims_parameter_supported:
        parameters = request_essential_acr(parameters, acr)
    uses_nonce = provider.uses_nonce and has_id_token
    return AuthorizationRequest(
        redirect_uri=redirect_uri_of(provider),
        scopes=scopes,
        state=Secret(f"{secrets.token_urlsafe(_RANDOM_BYTES)}:{provider.public_name}"),
        nonce=_make_secret() if uses_nonce else None,
        verifier=_make_secret() if provider.uses_pkce else None,
        parameters=parameters,
        max_age=max_age,
        acr=acr,
        resources=read_asked_resources(asked),
    )


def _make_secret() -> Secret:
    return Secret(secrets.token_urlsafe(_RANDOM_BYTES))


def write_authorization_url(provider: Provider, request: AuthorizationRequest) -> str:
    """Return the URL that takes the browser to the provider."""
    names = provider.parameter_names
    asked = {names.get(name, name): it for name, it in _list_parameters(provider, request).items()}
    asked.pop("", None)
    query = urlencode({**request.parameters, **asked}, doseq=True)
    return _add_query(provider.authorization_endpoint, query)


def _list_parameters(
    provider: Provider, request: AuthorizationRequest
) -> dict[str, str | list[str]]:
    """Return what each sign-in writes itself, by the standard's names."""
    asked: dict[str, str | list[str]] = {
        "response_type": provider.response_type,
        "client_id": provider.client_id,
        "redirect_uri": request.redirect_uri,
        "state": request.state.reveal(),
    }
    if request.scopes:
        asked["scope"] = provider.scope_separator.join(request.scopes)
    if request.nonce is not None:
        asked["nonce"] = request.nonce.reveal()
    if request.verifier is not None:
        asked["code_challenge"] = _compute_challenge(provider, request.verifier)
        asked["code_challenge_method"] = provider.code_challenge_method
    if request.resources:
        asked["resource"] = list(request.resources)
    return asked


def _add_query(endpoint: str, query: str) -> str:
    """Return an endpoint with a query, before its fragment (RFC 3986 section 3).

    A fragment that begins with a slash is a page within a page, which reads its own query.
    """
    address, hash_sign, fragment = endpoint.partition("#")
    if fragment.startswith("/"):
        joint = "&" if "?" in fragment else "?"
        return f"{endpoint}{joint}{query}"
    joint = "&" if urlsplit(address).query else "?"
    return f"{address}{joint}{query}{hash_sign}{fragment}"


def _compute_challenge(provider: Provider, verifier: Secret) -> str:
    if provider.code_challenge_method == "plain":
        return verifier.reveal()
    return compute_code_challenge(verifier)


def compute_code_challenge(verifier: Secret) -> str:
    """Return the S256 challenge of a verifier (RFC 7636 section 4.2)."""
    digest = hashlib.sha256(verifier.reveal_bytes()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
