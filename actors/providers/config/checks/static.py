"""Static checks of a provider's settings, made without a request to the provider."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from actors.errors import AuthError
from actors.providers.config.breaker import check_not_paused
from actors.providers.errors import AddressForbidden, ProviderPaused, ProviderUnreachable
from actors.providers.http.addresses import check_url, resolve_permitted
from actors.providers.protocol.client_authentication.methods import client_credentials
from actors.providers.protocol.provider import CLIENT_CREDENTIALS, GITHUB_APP, Provider
from actors.providers.protocol.redirect_uris import own_redirect_uri, redirect_uri_of
from catfeeder.clock import utc_now
from catfeeder.results import Finding
from config import current_settings, find_redirect_uri_problem
from models.db.database import hold_connection
from models.oauth.providers import TAB_USER_OAUTH_CONNECTION, public_name

_ENDPOINTS: Final = (
    "authorization_endpoint",
    "token_endpoint",
    "device_authorization_endpoint",
    "refresh_endpoint",
    "long_lived_token",
    "userinfo_endpoint",
    "emails_endpoint",
    "revocation_endpoint",
    "debug_token_endpoint",
    "jwks_uri",
    "check_endpoint",
    "installation_token_endpoint",
)
_ALLOW_ADDRESS: Final = (
    "Give an https URL of a public host, or name it in OAUTH_ALLOWED_PRIVATE_HOSTS."
)


def report_ok(check: str, detail: str) -> Finding:
    """Return the finding that a check has passed."""
    return Finding(check=check, is_ok=True, detail=detail, remedy=None)


def report_fault(check: str, detail: str, remedy: str) -> Finding:
    """Return the finding that a check has failed, and what to do about it."""
    return Finding(check=check, is_ok=False, detail=detail, remedy=remedy)


def suggest_remedy(error: AuthError, otherwise: str) -> str:
    """Return what helps against a failed request; `otherwise` where the settings are to blame."""
    match error:
        case ProviderUnreachable():
            return (
                "Try again in a moment. If it goes on, check that the provider is up, that its "
                "URL is spelt right, and that this machine may reach it."
            )
        case AddressForbidden():
            return _ALLOW_ADDRESS
    return otherwise


def check_settings(provider: Provider) -> Iterator[Finding]:
    """Yield what the settings alone show; host names are resolved."""
    yield _check_pause(provider.name)
    yield _check_credentials(provider) if provider.has_users else _check_own_client(provider)
    yield from _check_endpoints(provider)
    if provider.has_devices:
        yield _check_devices(provider)
    if provider.has_users:
        yield _check_identity(provider)
    if not provider.has_sign_in:
        return
    yield _check_redirect_uri(redirect_uri_of(provider))
    yield _check_mix_up(provider)


def _check_pause(provider: str) -> Finding:
    try:
        check_not_paused(provider, utc_now())
    except ProviderPaused as error:
        resume = f"`python -m worker providers resume {public_name(provider)}`"
        remedy = (
            f"{resume} lets them go on."
            if error.is_by_hand
            else "Correct what the reason says; any change of the provider's settings ends the "
            f"pause, and so does {resume}."
        )
        return report_fault("pause", error.detail, remedy)
    return report_ok("pause", "Renewals are not paused.")


def _check_credentials(provider: Provider) -> Finding:
    if provider.token_endpoint_auth_method in ("private_key_jwt", "apple_client_secret"):
        return _check_private_key(provider)
    if provider.token_endpoint_auth_method == "none":
        return _check_public_client(provider)
    if provider.client_secret is None:
        remedy = 'Set client_secret, or token_endpoint_auth_method "none" for a public client.'
        return report_fault("credentials", "There is no client_secret.", remedy)
    return report_ok("credentials", "client_id and client_secret are set.")


def _check_own_client(provider: Provider) -> Finding:
    """Check the client of a provider without sign-ins: apps may have clients and keys of their own.

    A client of the provider's own needs its secret; GitHub has no token without the app's key.
    """
    if provider.credential_type != "oauth2":
        return report_ok("credentials", "Each connection has its own; there is no client.")
    if GITHUB_APP in provider.grant_types and provider.private_key is None:
        remedy = "Set private_key and client_id, as the app's page at GitHub has them."
        return report_fault("credentials", "There is no private_key of the app.", remedy)
    is_client = provider.client_id and CLIENT_CREDENTIALS in provider.grant_types
    return (
        _check_credentials(provider)
        if is_client
        else report_ok("credentials", "Connections bring their own.")
    )


def _check_public_client(provider: Provider) -> Finding:
    """Check that a client without a secret uses PKCE (RFC 9700 section 2.1.1)."""
    if provider.has_sign_in and not provider.uses_pkce:
        remedy = 'Set code_challenge_method to "S256".'
        return report_fault("credentials", "A public client needs PKCE, which is off.", remedy)
    return report_ok("credentials", "client_id is set; a public client has no secret.")


def _check_private_key(provider: Provider) -> Finding:
    try:
        client_credentials(provider)
    except AuthError as error:
        remedy = "Set private_key, key_id or certificate and, for Apple, team_id, as they came."
        return report_fault("credentials", error.detail, remedy)
    return report_ok("credentials", "client_id and private_key are set.")


def _check_endpoints(provider: Provider) -> Iterator[Finding]:
    faults: dict[str, tuple[str, str] | None] = {}
    for name in _ENDPOINTS:
        url = _url_of(provider, name)
        if not url:
            continue
        url = url.partition("#")[0]
        origin = "/".join(url.split("/")[:3])
        if "{" in origin:
            detail = "Each connection fills in its host, whose address is checked at each request."
            yield report_ok(name, detail)
            continue
        if origin not in faults:
            faults[origin] = _find_address_fault(url)
        if fault := faults[origin]:
            yield report_fault(name, *fault)
        else:
            yield report_ok(name, "It leads to a public address by https, or is allowed.")


def _url_of(provider: Provider, name: str) -> str | None:
    if name == "long_lived_token":
        exchange = provider.long_lived_token
        return None if exchange is None else exchange.endpoint
    url: str | None = getattr(provider, name)
    return url


def _check_devices(provider: Provider) -> Finding:
    """Check that devices get codes, and warn of what those codes are good for (RFC 8628, 5.4)."""
    if not provider.device_authorization_endpoint:
        remedy = (
            "Set device_authorization_endpoint, or take the device grant out of grant_types; the "
            "issuer publishes none."
        )
        return report_fault("devices", "Nothing says where devices get their codes.", remedy)
    return report_ok("devices", "Devices are connected by a code that their users enter.")


def _find_address_fault(url: str) -> tuple[str, str] | None:
    """Return what is wrong with the address of a URL, and the remedy."""
    allowed = current_settings().allowed_private_hosts
    try:
        check_url(url, allowed)
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        resolve_permitted(parts.hostname or "", port, allowed)
    except AddressForbidden as error:
        return error.detail, _ALLOW_ADDRESS
    except ProviderUnreachable as error:
        return error.detail, "Check how the host is spelt, and that a name server can be asked."
    return None


def _check_identity(provider: Provider) -> Finding:
    """Check that user info or an id_token identifies users; else each sign-in wastes its code."""
    if provider.identity == "none":
        return report_ok("identity", "No user is named: your subject tells connections apart.")
    needs_keys = provider.identity != "userinfo" and provider.yields_id_token(provider.scopes)
    has_user_info = provider.identity != "id_token" and provider.userinfo_endpoint is not None
    is_complete = has_user_info or not needs_keys or provider.jwks_uri is not None
    if is_complete and provider.names_its_users(provider.scopes):
        return report_ok("identity", "The provider names its users.")
    remedy = (
        "Set userinfo_endpoint; or issuer and jwks_uri, with openid among the scopes; or identity "
        '"none" where no user is named.'
    )
    return report_fault("identity", "Nothing names the user of a sign-in.", remedy)


def _check_redirect_uri(uri: str) -> Finding:
    """Check the redirect URI, which providers compare letter by letter (RFC 9700 section 2.1)."""
    if find_redirect_uri_problem(uri):
        remedy = "Set REDIRECT_URI to the https address of /v1/oauth/callback, without a query."
        return report_fault("redirect_uri", f"Most providers refuse {uri}.", remedy)
    return report_ok("redirect_uri", f"Register exactly {uri} with the provider.")


def _check_mix_up(provider: Provider) -> Finding:
    """Check that answers cannot be mixed up with another provider's (RFC 9700 section 4.4)."""
    if provider.authorization_response_iss_parameter_supported:
        return report_ok("mix_up", "The provider names itself in its answers (RFC 9207).")
    own = own_redirect_uri(provider.public_name)
    if redirect_uri_of(provider) == own:
        return report_ok("mix_up", "The provider has a redirect URI of its own.")
    with hold_connection():
        is_alone = len(TAB_USER_OAUTH_CONNECTION.list_all()) == 1
    if is_alone:
        return report_ok("mix_up", "There is no other provider to be taken for this one.")
    remedy = f"Register {own} with the provider too, then turn redirect_path_per_provider on."
    return report_fault("mix_up", "Its answers could be taken for another provider's.", remedy)
