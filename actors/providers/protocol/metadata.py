"""What an issuer publishes about itself (OpenID Connect Discovery 1.0, RFC 8414)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from actors.errors import AddressForbidden, ProviderMisbehaved
from actors.providers.http.addresses import check_url
from actors.providers.http.requests import get_json
from config import current_settings

_WELL_KNOWN: Final = "/.well-known/openid-configuration"
_NEEDED: Final = ("authorization_endpoint", "token_endpoint", "jwks_uri")
_ENDPOINTS: Final = (*_NEEDED, "userinfo_endpoint", "revocation_endpoint")
_AUTH_METHODS: Final = "token_endpoint_auth_methods_supported"
_SENDS_ISS: Final = "authorization_response_iss_parameter_supported"


def fetch_metadata(issuer: str) -> dict[str, Any]:
    """Return what `issuer` publishes, reduced to what we use.

    Raises:
        ProviderMisbehaved: The document is not JSON, lacks an endpoint, is another issuer's
            (Discovery section 4.3), or a member is not of its type.
        AddressForbidden: An endpoint is one that we must not call or send a browser to.
        ProviderUnreachable, ProviderRefused: As `asking.get_json`.
    """
    published = fetch_document(issuer)
    return {"issuer": issuer, **_endpoints(published), **_abilities(published)}


def fetch_document(issuer: str) -> dict[str, Any]:
    """Return all that `issuer` publishes, unchecked but for whose it is.

    Raises:
        ProviderMisbehaved: The document is not JSON, or is another issuer's.
        ProviderUnreachable, ProviderRefused: As `asking.get_json`.
    """
    document = get_json(issuer.rstrip("/") + _WELL_KNOWN)
    if not isinstance(document, dict):
        raise ProviderMisbehaved("The issuer's metadata is not a JSON object.")
    if document.get("issuer") != issuer:
        raise ProviderMisbehaved("The metadata found at the issuer's URL names another issuer.")
    return {name: value for name, value in document.items() if value is not None}


def _endpoints(published: Mapping[str, Any]) -> dict[str, str]:
    found = {name: published[name] for name in _ENDPOINTS if name in published}
    for name in _NEEDED:
        if name not in found:
            raise ProviderMisbehaved(f"The issuer's metadata has no {name}.")
    for name, url in found.items():
        if not isinstance(url, str):
            raise _mistyped(name)
        try:
            check_url(url, current_settings().allowed_private_hosts)
        except AddressForbidden:
            raise AddressForbidden(
                f"The issuer's metadata has a {name} that is not https, or leads to an address "
                "that is not public."
            ) from None
    return found


def _abilities(published: Mapping[str, Any]) -> dict[str, Any]:
    methods = published.get(_AUTH_METHODS, [])
    sends_iss = published.get(_SENDS_ISS, False)
    if not isinstance(methods, list):
        raise _mistyped(_AUTH_METHODS)
    if not isinstance(sends_iss, bool):
        raise _mistyped(_SENDS_ISS)
    return {name: published[name] for name in (_AUTH_METHODS, _SENDS_ISS) if name in published}


def _mistyped(name: str) -> ProviderMisbehaved:
    return ProviderMisbehaved(f"The issuer's metadata has a {name} of another type.")
