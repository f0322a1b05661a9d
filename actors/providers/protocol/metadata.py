"""Issuer metadata (OpenID Connect Discovery 1.0, RFC 8414), fetched and checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Required, TypedDict, cast

from actors.providers.errors import AddressForbidden, ProviderMisbehaved
from actors.providers.http.addresses import check_url
from actors.providers.http.requests import get_json
from actors.providers.protocol.issuers import show_issuer
from actors.providers.protocol.provider_builder import OFFLINE_ACCESS
from config import current_settings

_WELL_KNOWN: Final = "/.well-known/openid-configuration"
_NEEDED: Final = ("authorization_endpoint", "token_endpoint", "jwks_uri")
_DEVICES: Final = "device_authorization_endpoint"
_OPTIONAL: Final = ("userinfo_endpoint", "revocation_endpoint", _DEVICES)
_AUTH_METHODS: Final = "token_endpoint_auth_methods_supported"
_REVOCATION_METHODS: Final = "revocation_endpoint_auth_methods_supported"
_SCOPES: Final = "scopes_supported"
_PKCE_METHODS: Final = "code_challenge_methods_supported"
_SENDS_ISS: Final = "authorization_response_iss_parameter_supported"
_TAKES_CLAIMS: Final = "claims_parameter_supported"


class IssuerMetadata(TypedDict, total=False):
    """The published members that we use."""

    issuer: Required[str]
    authorization_endpoint: Required[str]
    token_endpoint: Required[str]
    jwks_uri: Required[str]
    userinfo_endpoint: str
    revocation_endpoint: str
    device_authorization_endpoint: str
    token_endpoint_auth_methods_supported: list[Any]
    revocation_endpoint_auth_methods_supported: list[Any]
    authorization_response_iss_parameter_supported: bool
    claims_parameter_supported: bool
    scopes_supported: list[str]
    code_challenge_methods_supported: list[Any]


def fetch_metadata(issuer: str) -> IssuerMetadata:
    """Return what `issuer` publishes, reduced to the members that we use.

    An optional member that cannot be used counts as unpublished: sign-ins work without it.

    Raises:
        ProviderMisbehaved: The document is not JSON, lacks a required endpoint, has one of a wrong
            type, or is another issuer's (Discovery section 4.3).
        AddressForbidden: A required endpoint is one that we must not call or send a browser to.
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
        named = show_issuer(document.get("issuer"))
        raise ProviderMisbehaved(
            f"The metadata found at the issuer {issuer} names another issuer: {named}. "
            "Set issuer to what the provider names, to the letter, if that is where you ask."
        )
    return {name: value for name, value in document.items() if value is not None}


def find_unusable_endpoints(published: Mapping[str, Any]) -> dict[str, str]:
    """Return why each optional endpoint that is published cannot be used; an empty one is none."""
    reasons: dict[str, str] = {}
    for name in _OPTIONAL:
        try:
            if published.get(name, "") != "":
                _read_endpoint(name, published[name])
        except (ProviderMisbehaved, AddressForbidden) as error:
            reasons[name] = error.detail
    return reasons


def _read_endpoints(published: Mapping[str, Any]) -> dict[str, str]:
    for name in _NEEDED:
        if name not in published:
            raise ProviderMisbehaved(f"The issuer's metadata has no {name}.")
    unusable = find_unusable_endpoints(published)
    optional = [name for name in _OPTIONAL if name not in unusable and published.get(name)]
    return {name: _read_endpoint(name, published[name]) for name in (*_NEEDED, *optional)}


def _read_endpoint(name: str, url: Any) -> str:
    if not isinstance(url, str):
        raise ProviderMisbehaved(f"The issuer's metadata has a {name} of another type.")
    try:
        check_url(url, current_settings().allowed_private_hosts)
    except AddressForbidden:
        raise AddressForbidden(
            f"The issuer's metadata has a {name} that is not https, or leads to an address "
            "that is not public."
        ) from None
    return url


def _read_abilities(published: Mapping[str, Any]) -> dict[str, Any]:
    lists = (_AUTH_METHODS, _REVOCATION_METHODS, _PKCE_METHODS)
    types = {**dict.fromkeys(lists, list), _SENDS_ISS: bool, _TAKES_CLAIMS: bool}
    found: dict[str, Any] = {
        name: published[name]
        for name, kind in types.items()
        if isinstance(published.get(name), kind)
    }
    scopes = published.get(_SCOPES)
    if isinstance(scopes, list) and OFFLINE_ACCESS in scopes:
        # No other one is asked for because it is published.
        found[_SCOPES] = [OFFLINE_ACCESS]
    return found
