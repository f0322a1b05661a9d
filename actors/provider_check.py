"""Looking a provider over before users meet its mistakes: each finding comes with its remedy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from actors.breaker import check_not_paused
from actors.discovery import discover_provider
from actors.errors import AddressForbidden, AuthError, ProviderPaused
from actors.provider_lookup import find_provider, issuer_to_discover, provider_row
from actors.providers.addresses import check_url
from actors.providers.client_authentication import client_credentials
from actors.providers.discovery import fetch_document
from actors.providers.provider import Provider
from actors.providers.redirect_uris import own_redirect_uri, redirect_uri_of
from catfeeder.jobs import utc_now
from config import current_settings
from models.database import connected
from models.providers import TAB_USER_OAUTH_CONNECTION

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


def check_provider(provider: str) -> dict[str, Any]:
    """Perform the message of the same name: `{"provider", "is_ok", "findings": [...]}`.

    Raises:
        ProviderUnknown: There is no such provider.
    """
    row = provider_row(provider)
    try:
        if issuer_to_discover(row) is not None:
            discover_provider(provider)
        findings = list(_findings(find_provider(provider)))
    except AuthError as error:
        remedy = f"Correct the settings by PATCH /v1/providers/{provider}, or its variables."
        findings = [Finding("configuration", False, error.detail, remedy)]
    return {
        "provider": provider,
        "is_ok": all(finding.is_ok for finding in findings),
        "findings": [asdict(finding) for finding in findings],
    }


def _findings(provider: Provider) -> Iterator[Finding]:
    yield _pause(provider.name)
    yield _credentials(provider)
    yield from _endpoints(provider)
    yield _redirect_uri(redirect_uri_of(provider))
    yield _mix_up(provider)
    published: Mapping[str, Any] = {}
    if provider.issuer is not None and "{" not in provider.issuer:
        try:
            published = fetch_document(provider.issuer)
        except AuthError as error:
            remedy = "Check issuer: it is the URL before /.well-known/openid-configuration."
            yield Finding("discovery", False, error.detail, remedy)
        else:
            yield Finding("discovery", True, "The issuer publishes its metadata.")
            yield _client_authentication(provider, published)
            yield _pkce(provider, published)
    yield _renewal(provider, published)


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
    if provider.client_secret is None and provider.token_endpoint_auth_method != "none":
        remedy = 'Set client_secret, or token_endpoint_auth_method "none" for a public client.'
        return Finding("credentials", False, "There is no client_secret.", remedy)
    return Finding("credentials", True, "client_id and client_secret are set.")


def _private_key(provider: Provider) -> Finding:
    try:
        client_credentials(provider)
    except AuthError as error:
        remedy = "Set private_key, key_id or certificate and, for Apple, team_id, as they came."
        return Finding("credentials", False, error.detail, remedy)
    return Finding("credentials", True, "client_id and private_key are set.")


def _endpoints(provider: Provider) -> Iterator[Finding]:
    for name in _ENDPOINTS:
        url = getattr(provider, name)
        try:
            if url is not None:
                check_url(url, current_settings().allowed_private_hosts)
        except AddressForbidden as error:
            yield Finding(name, False, error.detail, "Give an https URL.")
        else:
            if url is not None:
                yield Finding(name, True, "It is https, or of a host that is allowed.")


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
    with connected():
        is_alone = len(TAB_USER_OAUTH_CONNECTION.listed()) == 1
    if is_alone:
        return Finding("mix_up", True, "There is no other provider to be taken for this one.")
    remedy = f"Register {own} with the provider too, then turn redirect_path_per_provider on."
    return Finding("mix_up", False, "Its answers could be taken for another provider's.", remedy)


def _client_authentication(provider: Provider, published: Mapping[str, Any]) -> Finding:
    method = provider.token_endpoint_auth_method
    supported = _listed(published, "token_endpoint_auth_methods_supported")
    # Where nothing is published, the standard says Basic (RFC 8414 section 2).
    supported = supported or ["client_secret_basic"]
    if method not in supported:
        remedy = f"Set token_endpoint_auth_method to one of {', '.join(supported)}."
        return Finding("client_authentication", False, f"{method} is not published.", remedy)
    return Finding("client_authentication", True, f"{method} is published.")


def _pkce(provider: Provider, published: Mapping[str, Any]) -> Finding:
    supported = _listed(published, "code_challenge_methods_supported")
    if not provider.uses_pkce and "S256" in supported:
        remedy = 'Set code_challenge_method to "S256".'
        return Finding("pkce", False, "The provider supports PKCE and it is off.", remedy)
    if provider.uses_pkce and supported and "S256" not in supported:
        remedy = 'Set code_challenge_method to "none" if sign-ins fail.'
        return Finding("pkce", False, "The provider does not publish S256.", remedy)
    return Finding("pkce", True, "PKCE is used as the provider publishes it.")


def _renewal(provider: Provider, published: Mapping[str, Any]) -> Finding:
    if provider.renewal != "refresh_token":
        return Finding("renewal", True, f"Tokens are renewed by: {provider.renewal}.")
    scope = provider.offline_scope
    if scope is None and "offline_access" in _listed(published, "scopes_supported"):
        scope = "offline_access"
    if scope is not None and scope not in provider.scopes:
        remedy = f"Add {scope} to scopes."
        return Finding("renewal", False, f"Without {scope} there is no refresh token.", remedy)
    asked = provider.authorization_parameters
    for name, value in provider.offline_parameters.items():
        if asked.get(name) != value:
            remedy = f"Set {name} to {value} in authorization_parameters."
            return Finding("renewal", False, f"Without {name} there is no refresh token.", remedy)
    return Finding("renewal", True, "What is asked for yields a refresh token.")


def _listed(published: Mapping[str, Any], name: str) -> list[str]:
    """Return the texts of a list; whatever else an issuer publishes there is none."""
    value = published.get(name)
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
