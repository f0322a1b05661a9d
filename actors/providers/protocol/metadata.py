"""Issuer metadata (OpenID Connect Discovery 1.0, RFC 8414), fetched and checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Required, TypedDict, cast

from actors.errors import AddressForbidden, ProviderMisbehaved
from actors.providers.http.addresses import check_url
from actors.providers.http.requests import get_json
from config import current_settings

_WELL_KNOWN: Final = "/.well-known/openid-configuration"
_NEEDED: Final = ("authorization_endpoint", "token_endpoint", "jwks_uri")
_ENDPOINTS: Final = (*_NEEDED, "userinfo_endpoint", "revocation_endpoint")
_AUTH_METHODS: Final = "token_endpoint_auth_methods_supported"
_SENDS_ISS: Final = "authorization_response_iss_parameter_supported"


class IssuerMetadata(TypedDict, total=False):
    """The published members that we use."""

    issuer: Required[str]
    authorization_endpoint: Required[str]
    token_endpoint: Required[str]
    jwks_uri: Required[str]
    userinfo_endpoint: str
    revocation_endpoint: str
    token_endpoint_auth_methods_supported: list[Any]
    authorization_response_iss_parameter_supported: bool


def fetch_metadata(issuer: str) -> IssuerMetadata:
    """Return what `issuer` publishes, reduced to the members that we use.

    Raises:
        ProviderMisbehaved: The document is not JSON, lacks an endpoint, is another issuer's
            (Discovery section 4.3), or a member has a wrong type.
        AddressForbidden: An endpoint is one that we must not call or send a browser to.
        ProviderUnreachable, ProviderRefused: As `get_json`.
    """
    published = fetch_document(issuer)
    members = {"issuer": issuer, **_read_endpoints(published), **_read_abilities(published)}
    return cast("IssuerMetadata", members)


def fetch_document(issuer: str) -> dict[str, Any]:
    """Return all that `issuer` publishes; only the name of the issuer is checked.

    Raises:
        ProviderMisbehaved: The document is not JSON, or is another issuer's.
        ProviderUnreachable, ProviderRefused: As `get_json`.
    """
    document = get_json(issuer.rstrip("/") + _WELL_KNOWN)
    if not isinstance(document, dict):
        raise ProviderMisbehaved("The issuer's metadata is not a JSON object.")
    if document.get("issuer") != issuer:
        raise ProviderMisbehaved("The metadata found at the issuer's URL names another issuer.")
    return {name: value for name, value in document.items() if value is not None}


def _read_endpoints(published: Mapping[str, Any]) -> dict[str, str]:
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


def _read_abilities(published: Mapping[str, Any]) -> dict[str, Any]:
    methods = published.get(_AUTH_METHODS, [])
    sends_iss = published.get(_SENDS_ISS, False)
    if not isinstance(methods, list):
        raise _mistyped(_AUTH_METHODS)
    if not isinstance(sends_iss, bool):
        raise _mistyped(_SENDS_ISS)
    return {name: published[name] for name in (_AUTH_METHODS, _SENDS_ISS) if name in published}


def _mistyped(name: str) -> ProviderMisbehaved:
    return ProviderMisbehaved(f"The issuer's metadata has a {name} of another type.")
