"""Client authentication at token endpoints (RFC 6749 section 2.3, RFC 7523 section 2.2)."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Final, TypeVar
from urllib.parse import quote

import requests
from requests.auth import AuthBase, HTTPBasicAuth

from actors.errors import FailureKind
from actors.providers.errors import ProviderNotConfigured, ProviderRefused
from actors.providers.http.forms import WrittenAuth
from actors.providers.protocol.client_authentication.assertions import sign_assertion
from actors.providers.protocol.provider import Provider
from actors.providers.protocol.quirks import apple
from config import current_settings

T = TypeVar("T")

_LOG = logging.getLogger(__name__)

_ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
#: The codes of the standard, GitHub and Slack for a wrong secret. The provider has rejected the
#: client before it looked at the grant.
_CLIENT_REFUSED: Final = frozenset(
    {"invalid_client", "incorrect_client_credentials", "bad_client_secret"}
)
#: Without a code, by servers that have Basic checked before the request is looked at.
_UNAUTHORIZED: Final = "status 401"
#: Refusals of the client that no other form of its secret changes. All others may be of the form:
#: Keycloak and idpyoidc call that unauthorized_client.
_NOT_BY_SECRET: Final = frozenset(
    {"unsupported_grant_type", "redirect_uri_mismatch", "status 404", "status 405"}
)


def try_each_secret(provider: Provider, ask: Callable[[Provider], T]) -> T:
    """Ask with the newest client secret, and as `list_clients` says while the client is refused.

    So a secret can be changed here and at the provider in any order, without downtime. After the
    time limit of one request nothing further is tried: the whole takes at most twice that limit,
    which is less than `lease_seconds`. Another form that helps is learned.

    Raises:
        ProviderRefused: As `ask`; for a refused client only after the last try.
    """
    oauth = current_settings().oauth
    last_start = time.monotonic() + oauth.connect_timeout_seconds + oauth.read_timeout_seconds
    clients = list_clients(provider)
    for client, following in pairwise(clients):
        try:
            return _ask_and_learn(provider, client, ask)
        except ProviderRefused as error:
            is_other_form = following.client_secret is client.client_secret
            if not _is_client_refused(error, is_other_form) or time.monotonic() >= last_start:
                raise
    try:
        return _ask_and_learn(provider, clients[-1], ask)
    except ProviderRefused as error:
        if _is_client_refused(error, True) and _other_form(provider) is not None:
            raise _refused_in_both_forms(error) from None
        raise


def _is_client_refused(error: ProviderRefused, is_other_form: bool) -> bool:
    if error.error in _CLIENT_REFUSED or not is_other_form:
        return error.error in _CLIENT_REFUSED
    is_of_client = error.kind is FailureKind.CLIENT_MISCONFIGURED
    return error.error == _UNAUTHORIZED or (is_of_client and error.error not in _NOT_BY_SECRET)


def list_clients(provider: Provider) -> list[Provider]:
    """Return the client in each form that the provider may accept, in the order to try them in.

    That is with each secret, and where Basic may be read otherwise, in its other form too.
    """
    known: list[Provider] | None = provider.prepared.get("clients")
    if known is None:
        known = provider.prepared["clients"] = _list_clients(provider)
    return known


def _list_clients(provider: Provider) -> list[Provider]:
    clients = []
    for secret in (provider.client_secret, *provider.earlier_client_secrets):
        is_current = secret is provider.client_secret
        client = provider if is_current else replace(provider, client_secret=secret)
        other = _other_form(client)
        clients += [client] if other is None else [client, other]
    return clients


def _other_form(client: Provider) -> Provider | None:
    """Return the client with its fallback for Basic; None where that sends the same credentials.

    RFC 6749 section 2.3.1 has both parts form-encoded, and many servers do not decode them.
    """
    if client.basic_fallback is None or client.client_secret is None:
        return None
    if all(quote(part, safe="") == part for part in _basic_parts(client)):
        return None
    other = replace(client, **client.basic_fallback)  # type: ignore[arg-type]
    is_raw = other.client_secret_basic_encoding == "raw"
    is_ambiguous = is_raw and ":" in client.client_id
    return None if is_ambiguous else other


def _ask_and_learn(provider: Provider, client: Provider, ask: Callable[[Provider], T]) -> T:
    answer = ask(client)
    form = (client.token_endpoint_auth_method, client.client_secret_basic_encoding)
    known = (provider.token_endpoint_auth_method, provider.client_secret_basic_encoding)
    if form != known and provider.basic_fallback is not None:
        text = "%s does not read Basic credentials as RFC 6749 section 2.3.1 has them; it gets %s."
        form_text = " ".join(provider.basic_fallback.values())
        _LOG.warning(text, provider.name, form_text, extra={"provider": provider.name})
        if provider.learn is not None:
            provider.learn(provider.basic_fallback)
    return answer


def _refused_in_both_forms(error: ProviderRefused) -> ProviderRefused:
    return ProviderRefused(
        error.error,
        kind=error.kind or FailureKind.CLIENT_MISCONFIGURED,
        remedy="The client's id or secret has characters that RFC 6749 section 2.3.1 encodes and "
        "not every server decodes; both forms were refused. Check the secret, or set "
        "token_endpoint_auth_method.",
    )


def _basic_parts(provider: Provider) -> tuple[str, str]:
    return provider.client_id, secret_text(provider)


def authorization_of(provider: Provider) -> AuthBase | None:
    """Return the Authorization header that the client authenticates by; None where by none.

    Some providers take the secret alone, as the user name of Basic or as a bearer token.
    """
    if "authorization" not in provider.prepared:
        built = _build_authorization(provider)
        provider.prepared["authorization"] = built and WrittenAuth(built)
    known: AuthBase | None = provider.prepared["authorization"]
    return known


def _build_authorization(provider: Provider) -> AuthBase | None:
    match provider.token_endpoint_auth_method:
        case "client_secret_basic":
            return basic_header(provider)
        case "secret_as_basic_username":
            return HTTPBasicAuth(secret_text(provider).encode(), b"")
        case "secret_as_bearer":
            return _BearerAuth(secret_text(provider))
    return None


class _BearerAuth(AuthBase):
    """Authorization header with a bearer token (RFC 6750 section 2.1)."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def basic_header(provider: Provider) -> HTTPBasicAuth:
    """Return client_id and secret as an Authorization header.

    Both parts are form-encoded first (RFC 6749 section 2.3.1), so that colons and letters beyond
    ASCII arrive unchanged, unless the provider is known not to decode them.
    """
    parts = _basic_parts(provider)
    if provider.client_secret_basic_encoding == "form":
        parts = (quote(parts[0], safe=""), quote(parts[1], safe=""))
    # Text would be sent in Latin-1.
    client_id, secret = (part.encode() for part in parts)
    return HTTPBasicAuth(client_id, secret)


def client_credentials(provider: Provider) -> Mapping[str, str]:
    """Return the form fields of the client: none beside a header, client_id for public ones."""
    named = {"client_id": provider.client_id}
    match provider.token_endpoint_auth_method:
        case "client_secret_basic" | "secret_as_basic_username" | "secret_as_bearer":
            return {}
        case "none":
            return named
        case "private_key_jwt":
            return {
                **named,
                "client_assertion_type": _ASSERTION_TYPE,
                "client_assertion": sign_assertion(
                    provider,
                    issuer=provider.client_assertion_issuer or provider.client_id,
                    audience=choose_audience(provider),
                ),
            }
        case "apple_client_secret":
            return {**named, "client_secret": apple.client_secret(provider)}
        case _:
            return {**named, "client_secret": secret_text(provider)}


def choose_audience(provider: Provider) -> str:
    """Return the `aud` of assertions: the token endpoint (RFC 7523 section 3), else as set.

    RFC 7523bis and FAPI 2 want the issuer, so that no other server can use an assertion.
    """
    match provider.client_assertion_audience:
        case "token_endpoint":
            return provider.token_endpoint
        case "issuer" if provider.issuer is None:
            raise ProviderNotConfigured(
                f"The client_assertion_audience of the provider {provider.name} is its issuer, "
                "and it has none: set issuer."
            )
        case "issuer":
            return str(provider.issuer)
        case url:
            return url


def secret_text(provider: Provider) -> str:
    """Return the client secret.

    Raises:
        ProviderNotConfigured: There is none.
    """
    if provider.client_secret is None:
        raise ProviderNotConfigured.lacks(provider.name, "client_secret")
    return provider.client_secret.reveal()
