"""Proving to a provider which client asks (RFC 6749 section 2.3, RFC 7523 section 2.2)."""

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
#: The provider does not know the client by this secret, and has looked at nothing else: the
#: standard's word for it, GitHub's and Slack's.
_CLIENT_REFUSED: Final = frozenset(
    {"invalid_client", "incorrect_client_credentials", "bad_client_secret"}
)


def try_each_secret(provider: Provider, ask: Callable[[Provider], T]) -> T:
    """Ask with the newest client secret, and with each earlier one while the client is refused.

    So a secret is changed here and at the provider in any order, and nobody waits in between. None
    is tried any more once the time of one request has gone by: so the whole takes that of two, and
    `lease_seconds` is longer.

    Raises:
        ProviderRefused: As `ask`; that the client is refused, only after the last secret.
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
    """Return the Authorization header's content where the client authenticates by Basic."""
    if provider.token_endpoint_auth_method != "client_secret_basic":
        return None
    return basic_header(provider)


def basic_header(provider: Provider) -> HTTPBasicAuth:
    """Return client_id and secret as an Authorization header.

    Both parts are encoded as in a form (RFC 6749 section 2.3.1), so that a colon in the one or a
    letter beyond ASCII in the other arrives as it is.
    """
    return HTTPBasicAuth(quote(provider.client_id, safe=""), quote(secret_text(provider), safe=""))


def client_credentials(provider: Provider) -> Mapping[str, str]:
    """Return what stands in the body: nothing for Basic, only client_id for public clients."""
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
                    provider, issuer=provider.client_id, audience=provider.token_endpoint
                ),
            }
        case "apple_client_secret":
            return {**named, "client_secret": apple.client_secret(provider)}
        case _:
            return {**named, "client_secret": secret_text(provider)}


def secret_text(provider: Provider) -> str:
    """Return the client secret.

    Raises:
        ProviderNotConfigured: There is none.
    """
    if provider.client_secret is None:
        raise ProviderNotConfigured(f"The provider {provider.name} has no client_secret.")
    return provider.client_secret.reveal()
