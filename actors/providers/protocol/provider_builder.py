"""Builder of providers: preset, issuer metadata and the operator's settings become one model."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from actors.providers.errors import ProviderNotConfigured
from actors.providers.protocol.client_authentication.choice import choose_client_authentication
from actors.providers.protocol.provider import (
    AUTHORIZATION_CODE,
    CLIENT_CREDENTIALS,
    DEVICE_CODE,
    GITHUB_APP,
    JWT_BEARER,
    TOKEN_EXCHANGE,
    Provider,
    TokenExchange,
)
from catfeeder.sealing import Secret

_PRESETS_FILE: Final = Path(__file__).parents[1] / "presets.toml"

_CLIENT_ID: Final = "{client_id}"
#: Placeholder of `base_url` in the URLs of presets.
_BASE_URL: Final = "{base_url}"

#: The claims of OpenID Connect Core section 5.1.
STANDARD_PROFILE: Final = {
    "subject": "sub",
    "email": "email",
    "email_verified": "email_verified",
    "name": "name",
    "picture": "picture",
}

#: What renewal by fb_exchange_token meant before it was data.
_FACEBOOK_EXCHANGE: Final = {
    "grant_type": "fb_exchange_token",
    "token_parameter": "fb_exchange_token",
}

#: What a scope of such a name includes wherever it is in use, such as with Shopify and GitHub.
_IMPLIED_SCOPES: Final = {"write_*": ["read_*"], "user": ["user:email", "read:user"]}
OFFLINE_ACCESS: Final = "offline_access"
STANDARD_SCOPES: Final = ("openid", "profile", "email")


def with_base_url(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Replace {base_url} in the metadata: software such as GitLab runs on many servers."""
    base = str(metadata.get("base_url") or _BASE_URL).rstrip("/")
    return {name: _fill_base_url(value, base) for name, value in metadata.items()}


def _fill_base_url(value: Any, base: str) -> Any:
    match value:
        case str():
            return value.replace(_BASE_URL, base)
        case Mapping():
            return {name: _fill_base_url(it, base) for name, it in value.items()}
    return value


def needs_base_url(metadata: Mapping[str, Any]) -> bool:
    """Return whether a URL of the metadata begins with the base_url."""
    return any(isinstance(it, str) and it.startswith(_BASE_URL) for it in metadata.values())


@cache
def presets() -> Mapping[str, Mapping[str, Any]]:
    """Return the metadata of each preset by name."""
    return tomllib.loads(_PRESETS_FILE.read_text(encoding="utf-8"))


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a client authenticates with: secrets, the newest first, or a private key."""

    client_id: str
    client_secrets: tuple[Secret, ...] = ()
    private_key: Secret | None = None


_TOKEN_GRANTS: Final = {CLIENT_CREDENTIALS, JWT_BEARER, TOKEN_EXCHANGE}


def list_needed_endpoints(metadata: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the endpoints without which no connection of a provider can be made."""
    if metadata.get("credential_type") in ("api_key", "basic"):
        return ()
    grants = metadata.get("grant_types") or (AUTHORIZATION_CODE,)
    if AUTHORIZATION_CODE in grants:
        return ("authorization_endpoint", "token_endpoint")
    if DEVICE_CODE in grants:
        return ("device_authorization_endpoint", "token_endpoint")
    of_github = ("installation_token_endpoint",) if GITHUB_APP in grants else ()
    return ("token_endpoint", *of_github) if _TOKEN_GRANTS & set(grants) else of_github


def _check_endpoints(name: str, metadata: Mapping[str, Any]) -> None:
    for needed in list_needed_endpoints(metadata):
        if not metadata.get(needed):
            raise ProviderNotConfigured.lacks(name, needed)
        if str(metadata[needed]).startswith(_BASE_URL):
            raise ProviderNotConfigured.lacks(name, "base_url")


def build_provider(name: str, metadata: Mapping[str, Any], credentials: Credentials) -> Provider:
    """Build a provider from merged metadata; unknown names are ignored.

    Raises:
        ProviderNotConfigured: An endpoint is missing.
    """
    metadata = _write_renewal_anew(metadata)
    _check_endpoints(name, metadata)
    known = {item.name for item in fields(Provider)}
    values = {key: value for key, value in metadata.items() if key in known and value is not None}
    values["scopes"] = tuple(metadata.get("scopes", _default_scopes(metadata)))
    values["told_once"] = tuple(metadata.get("told_once", ()))
    values["profile"] = {**STANDARD_PROFILE, **metadata.get("profile", {})}
    values.setdefault("implied_scopes", _IMPLIED_SCOPES)
    if metadata.get("grant_types") is not None:
        values["grant_types"] = tuple(metadata["grant_types"])
    if metadata.get("metadata") is not None:
        values["metadata"] = tuple(metadata["metadata"])
    values |= _read_requests(metadata)
    values |= _read_user_info_request(metadata)
    values |= _read_exchanges(metadata)
    values |= _read_offline_access(metadata)
    values |= choose_client_authentication(metadata)
    newest, *earlier = credentials.client_secrets or (None,)
    values |= {"name": name, "client_id": credentials.client_id, "client_secret": newest}
    values |= {"earlier_client_secrets": tuple(earlier), "private_key": credentials.private_key}
    values |= _fill_client_id(values)
    return Provider(**values)


def _fill_client_id(values: Mapping[str, Any]) -> dict[str, str]:
    """Return the URLs that hold the client_id, such as those of a marketplace's apps."""
    client_id = quote(values["client_id"], safe="")
    return {
        name: value.replace(_CLIENT_ID, client_id)
        for name, value in values.items()
        if isinstance(value, str) and name.endswith("_endpoint") and _CLIENT_ID in value
    }


def _read_user_info_request(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return the method of user info: what has a body is posted, unless the settings say more."""
    has_body = metadata.get("userinfo_body") or metadata.get("userinfo_token_location") == "body"
    return {"userinfo_method": metadata.get("userinfo_method") or ("POST" if has_body else "GET")}


def _write_renewal_anew(metadata: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return metadata that says as data what the earlier setting fb_exchange_token meant."""
    if metadata.get("renewal") != "fb_exchange_token":
        return metadata
    usual = {"long_lived_token": _FACEBOOK_EXCHANGE, "appsecret_proof": True}
    return {**usual, **metadata, "renewal": "access_token"}


def _read_requests(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a provider's requests are called, of which token requests have more names."""
    names = metadata.get("parameter_names") or {}
    return {
        "token_parameter_names": {**names, **(metadata.get("token_parameter_names") or {})},
        "callback_parameters": tuple(metadata.get("callback_parameters") or ()),
    }


def _read_exchanges(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return the exchange after a sign-in, and the one that renews: the same but for its data."""
    data = metadata.get("long_lived_token")
    first = TokenExchange(**data) if data else None
    if metadata.get("renewal") != "access_token":
        return {"long_lived_token": first}
    parameters = {**(metadata.get("refresh_parameters") or {})}
    usual = first or TokenExchange(grant_type="refresh_token")
    again = replace(
        usual,
        grant_type=parameters.pop("grant_type", usual.grant_type),
        endpoint=metadata.get("refresh_endpoint") or usual.endpoint,
        parameters=parameters if "refresh_parameters" in metadata else usual.parameters,
    )
    return {"long_lived_token": first, "renewal_exchange": again}


def _default_scopes(metadata: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the scopes to ask for by default: a provider with an issuer has OpenID Connect."""
    grants = metadata.get("grant_types") or (AUTHORIZATION_CODE,)
    has_users = AUTHORIZATION_CODE in grants or DEVICE_CODE in grants
    return STANDARD_SCOPES if has_users and metadata.get("issuer") else ()


def _read_offline_access(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a refresh token takes where the issuer publishes its scope.

    The scope alone is ignored by providers that obey OpenID Connect Core section 11.
    """
    if OFFLINE_ACCESS not in metadata.get("scopes_supported", ()):
        return {"publishes_offline_access": False}
    standard = {"offline_scope": OFFLINE_ACCESS, "offline_parameters": {"prompt": "consent"}}
    given = {name: metadata[name] for name in standard if name in metadata}
    return {"publishes_offline_access": True, **standard, **given}
