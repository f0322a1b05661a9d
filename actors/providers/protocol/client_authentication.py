"""Client authentication at token endpoints (RFC 6749 section 2.3, RFC 7523 section 2.2)."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final, TypeVar
from urllib.parse import quote

from requests.auth import HTTPBasicAuth

from actors.errors import ProviderNotConfigured, ProviderRefused
from actors.providers.protocol.client_assertions import sign_assertion
from actors.providers.protocol.provider import Provider
from actors.providers.protocol.quirks import apple
from config import current_settings

T = TypeVar("T")

_ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
#: The codes of the standard, GitHub and Slack for a wrong secret. The provider has rejected the
#: client before it looked at the grant.
_CLIENT_REFUSED: Final = frozenset(
    {"invalid_client", "incorrect_client_credentials", "bad_client_secret"}
)


def try_each_secret(provider: Provider, ask: Callable[[Provider], T]) -> T:
    """Ask with the newest client secret, and with each earlier one while the client is refused.

    So a secret can be changed here and at the provider in any order, without downtime. After the
    time limit of one request no further secret is tried: the whole takes at most twice that limit,
    which is less than `lease_seconds`.

    Raises:
        ProviderRefused: As `ask`; for a refused client only after the last secret.
    """
    oauth = current_settings().oauth
    last_start = time.monotonic() + oauth.connect_timeout_seconds + oauth.read_timeout_seconds
    for secret in provider.earlier_client_secrets:
        try:
            return ask(provider)
        except ProviderRefused as error:
            if error.error not in _CLIENT_REFUSED or time.monotonic() >= last_start:
                raise
            provider = replace(provider, client_secret=secret)
    return ask(provider)


def basic_authentication(provider: Provider) -> HTTPBasicAuth | None:
    """Return the Authorization header of a client that authenticates by Basic, else None."""
    if provider.token_endpoint_auth_method != "client_secret_basic":
        return None
    return basic_header(provider)


def basic_header(provider: Provider) -> HTTPBasicAuth:
    """Return client_id and secret as an Authorization header.

    Both parts are form-encoded first (RFC 6749 section 2.3.1), so that colons and letters beyond
    ASCII arrive unchanged.
    """
    return HTTPBasicAuth(quote(provider.client_id, safe=""), quote(secret_text(provider), safe=""))


def client_credentials(provider: Provider) -> Mapping[str, str]:
    """Return the form fields of the client: none for Basic, only client_id for public clients."""
    named = {"client_id": provider.client_id}
    match provider.token_endpoint_auth_method:
        case "client_secret_basic":
            return {}
        case "none":
            return named
        case "private_key_jwt":
            return {
                **named,
                "client_assertion_type": _ASSERTION_TYPE,
                "client_assertion": sign_assertion(
                    provider, issuer=provider.client_id, audience=_choose_audience(provider)
                ),
            }
        case "apple_client_secret":
            return {**named, "client_secret": apple.client_secret(provider)}
        case _:
            return {**named, "client_secret": secret_text(provider)}


def _choose_audience(provider: Provider) -> str:
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
