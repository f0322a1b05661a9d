"""What the settings of a provider tell of its mistakes, before anybody asks the provider itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from actors.errors import AddressForbidden, AuthError, ProviderPaused, ProviderUnreachable
from actors.providers.config.breaker import check_not_paused
from actors.providers.http.addresses import check_url, resolve_permitted
from actors.providers.protocol.client_authentication import client_credentials
from actors.providers.protocol.provider import Provider
from actors.providers.protocol.redirect_uris import own_redirect_uri, redirect_uri_of
from catfeeder.clock import utc_now
from config import current_settings
from models.db.database import hold_connection
from models.oauth.providers import TAB_USER_OAUTH_CONNECTION

_ENDPOINTS: Final = (
    "authorization_endpoint",
    "token_endpoint",
    "userinfo_endpoint",
    "emails_endpoint",
    "revocation_endpoint",
    "debug_token_endpoint",
    "jwks_uri",
)
_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; `remedy` says what to do where it is not well."""

    check: str
    is_ok: bool
    detail: str
    remedy: str | None = None


def settings_findings(provider: Provider) -> Iterator[Finding]:
    """Look at all that is known of a provider without a request to it; names are looked up."""
    yield _pause(provider.name)
    yield _credentials(provider)
    yield from _endpoints(provider)
    yield _identity(provider)
    yield _redirect_uri(redirect_uri_of(provider))
    yield _mix_up(provider)


def _pause(provider: str) -> Finding:
    try:
        check_not_paused(provider, utc_now())
    except ProviderPaused as error:
        remedy = (
            "Correct what the reason says; any change of the provider's settings ends the pause."
        )
        return Finding("pause", False, error.detail, remedy)
    return Finding("pause", True, "Renewals are not paused.")


def _credentials(provider: Provider) -> Finding:
    if provider.token_endpoint_auth_method in ("private_key_jwt", "apple_client_secret"):
        return _private_key(provider)
    if provider.token_endpoint_auth_method == "none":
        return _public_client(provider)
    if provider.client_secret is None:
        remedy = 'Set client_secret, or token_endpoint_auth_method "none" for a public client.'
        return Finding("credentials", False, "There is no client_secret.", remedy)
    return Finding("credentials", True, "client_id and client_secret are set.")


def _public_client(provider: Provider) -> Finding:
    """A client without a secret has nothing but PKCE (RFC 9700 section 2.1.1)."""
    if not provider.uses_pkce:
        remedy = 'Set code_challenge_method to "S256".'
        return Finding("credentials", False, "A public client needs PKCE, which is off.", remedy)
    return Finding("credentials", True, "client_id is set; a public client has no secret.")


def _private_key(provider: Provider) -> Finding:
    try:
        client_credentials(provider)
    except AuthError as error:
        remedy = "Set private_key, key_id or certificate and, for Apple, team_id, as they came."
        return Finding("credentials", False, error.detail, remedy)
    return Finding("credentials", True, "client_id and private_key are set.")


def _endpoints(provider: Provider) -> Iterator[Finding]:
    faults: dict[str, tuple[str, str] | None] = {}
    for name in _ENDPOINTS:
        url: str | None = getattr(provider, name)
        if url is None:
            continue
        origin = "/".join(url.split("/")[:3])
        if origin not in faults:
            faults[origin] = _fault_of_address(url)
        if fault := faults[origin]:
            yield Finding(name, False, *fault)
        else:
            yield Finding(name, True, "It leads to a public address by https, or is allowed.")


def _fault_of_address(url: str) -> tuple[str, str] | None:
    """Return what is wrong with where a URL leads, and the remedy."""
    allowed = current_settings().allowed_private_hosts
    try:
        check_url(url, allowed)
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        resolve_permitted(parts.hostname or "", port, allowed)
    except AddressForbidden as error:
        remedy = "Give an https URL of a public host, or name it in OAUTH_ALLOWED_PRIVATE_HOSTS."
        return error.detail, remedy
    except ProviderUnreachable as error:
        return error.detail, "Check how the host is spelt, and that a name server can be asked."
    return None


def _identity(provider: Provider) -> Finding:
    """Look for what tells who a user is: otherwise each sign-in ends with its code spent."""
    has_id_token = provider.yields_id_token(provider.scopes) and provider.jwks_uri is not None
    if provider.userinfo_endpoint or has_id_token or provider.token_answer == "slack_app":
        return Finding("identity", True, "The provider tells who a user is.")
    remedy = "Set userinfo_endpoint; or issuer and jwks_uri, with openid among the scopes."
    return Finding("identity", False, "Nothing tells who a user is.", remedy)


def _redirect_uri(uri: str) -> Finding:
    """Look at the redirect URI, which providers compare letter by letter (RFC 9700 section 2.1)."""
    parts = urlsplit(uri)
    is_safe = parts.scheme == "https" or parts.hostname in _LOOPBACK
    if not is_safe or parts.fragment or parts.query:
        remedy = "Set REDIRECT_URI to the https address of /v1/oauth/callback, without a query."
        return Finding("redirect_uri", False, f"Most providers refuse {uri}.", remedy)
    return Finding("redirect_uri", True, f"Register exactly {uri} with the provider.")


def _mix_up(provider: Provider) -> Finding:
    """Look for what tells an answer of this provider from one of another (RFC 9700 section 4.4)."""
    if provider.authorization_response_iss_parameter_supported:
        return Finding("mix_up", True, "The provider names itself in its answers (RFC 9207).")
    own = own_redirect_uri(provider.name)
    if redirect_uri_of(provider) == own:
        return Finding("mix_up", True, "The provider has a redirect URI of its own.")
    with hold_connection():
        is_alone = len(TAB_USER_OAUTH_CONNECTION.list_all()) == 1
    if is_alone:
        return Finding("mix_up", True, "There is no other provider to be taken for this one.")
    remedy = f"Register {own} with the provider too, then turn redirect_path_per_provider on."
    return Finding("mix_up", False, "Its answers could be taken for another provider's.", remedy)
