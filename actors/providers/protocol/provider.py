"""Provider model: preset, issuer metadata and the operator's settings, merged and typed."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from actors.errors import ProviderNotConfigured
from catfeeder.sealing import Secret
from models.oauth.providers import public_name

#: Signatures by an asymmetric key, of providers and of ours; never `none`, never a shared secret.
SigningAlgorithm: TypeAlias = Literal[
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "Ed25519",
    "EdDSA",
]
_PRESETS_FILE: Final = Path(__file__).parents[1] / "presets.toml"

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

OFFLINE_ACCESS: Final = "offline_access"
STANDARD_SCOPES: Final = ("openid", "profile", "email")


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """One provider; fields are named after RFC 8414 and RFC 7591, else as presets.toml explains."""

    name: str
    client_id: str
    client_secret: Secret | None
    #: The latest first; in use while the provider does not know the newest secret yet.
    earlier_client_secrets: tuple[Secret, ...] = ()
    private_key: Secret | None = None
    key_id: str | None = None
    certificate: str | None = None
    team_id: str | None = None
    authorization_endpoint: str
    token_endpoint: str
    issuer: str | None = None
    userinfo_endpoint: str | None = None
    userinfo_method: str = "GET"
    emails_endpoint: str | None = None
    revocation_endpoint: str | None = None
    debug_token_endpoint: str | None = None
    jwks_uri: str | None = None
    scopes: tuple[str, ...] = ()
    scope_separator: str = " "
    scope_aliases: Mapping[str, str] = field(default_factory=dict)
    implied_scopes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    token_endpoint_auth_method: str = "client_secret_basic"
    #: form: both parts are encoded as RFC 6749 section 2.3.1 says; raw: they are sent as they are.
    client_secret_basic_encoding: str = "form"
    #: The settings to try once when the client is refused by Basic; None where none are left.
    basic_fallback: Mapping[str, str] | None = None
    #: Stores the settings that have helped, for all processes.
    learn: Callable[[Mapping[str, str]], None] | None = field(default=None, compare=False)
    token_endpoint_auth_signing_alg: str | None = None
    client_assertion_audience: str = "token_endpoint"
    code_challenge_method: str = "S256"
    uses_nonce: bool = True
    always_gives_id_token: bool = False
    authorization_response_iss_parameter_supported: bool = False
    authorization_parameters: Mapping[str, str] = field(default_factory=dict)
    default_lifetime_seconds: int | None = None
    minimum_renewal_gap_seconds: int = 0
    maximum_renewals_per_minute: int | None = None
    renewal_margin_seconds: int | None = None
    single_use_refresh_tokens: bool = False
    refresh_token_grace_seconds: int = 0
    grant_lifetime_seconds: int | None = None
    grant_idle_lifetime_seconds: int | None = None
    renewal: str = "refresh_token"
    token_answer: str = "standard"
    redirect_uri_at_renewal: bool = False
    failure_kinds: Mapping[str, str] = field(default_factory=dict)
    failure_remedies: Mapping[str, str] = field(default_factory=dict)
    revocation: str = "rfc7009"
    #: Whether a sign-in is to yield a lasting connection, unless its request says otherwise.
    offline_access: bool = True
    #: The issuer publishes that scope, so that what it takes is known (OpenID Connect Core 11).
    publishes_offline_access: bool = False
    offline_scope: str | None = None
    offline_parameters: Mapping[str, str] = field(default_factory=dict)
    #: Further members of token answers and callbacks to keep; None for the usual ones.
    metadata: tuple[str, ...] | None = None
    profile: Mapping[str, str] = field(default_factory=dict)
    emails: Mapping[str, str] = field(default_factory=dict)
    told_once: tuple[str, ...] = ()
    email_trust: str = "claim"

    def yields_id_token(self, scopes: Iterable[str]) -> bool:
        """Return whether a sign-in for these scopes yields an id_token that we can check.

        See OpenID Connect Core section 3.1.2.1. Without an issuer an id_token is ignored.
        """
        is_given = self.always_gives_id_token or "openid" in scopes
        return is_given and self.issuer is not None

    @property
    def public_name(self) -> str:
        """The name that apps know it by: `name` is the key of its row."""
        return public_name(self.name)

    @property
    def uses_pkce(self) -> bool:
        """Return whether sign-ins use PKCE (RFC 7636)."""
        return self.code_challenge_method == "S256"


def with_base_url(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Replace {base_url} in the metadata: software such as GitLab runs on many servers."""
    base = str(metadata.get("base_url") or _BASE_URL).rstrip("/")
    return {
        name: value.replace(_BASE_URL, base) if isinstance(value, str) else value
        for name, value in metadata.items()
    }


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


def build_provider(name: str, metadata: Mapping[str, Any], credentials: Credentials) -> Provider:
    """Build a provider from merged metadata; unknown names are ignored.

    Raises:
        ProviderNotConfigured: An endpoint is missing.
    """
    for needed in ("authorization_endpoint", "token_endpoint"):
        if not metadata.get(needed):
            raise ProviderNotConfigured.lacks(name, needed)
    known = {item.name for item in fields(Provider)}
    values = {key: value for key, value in metadata.items() if key in known and value is not None}
    values["scopes"] = tuple(metadata.get("scopes", _default_scopes(metadata)))
    values["told_once"] = tuple(metadata.get("told_once", ()))
    values["profile"] = {**STANDARD_PROFILE, **metadata.get("profile", {})}
    if metadata.get("metadata") is not None:
        values["metadata"] = tuple(metadata["metadata"])
    values |= _read_offline_access(metadata)
    method = _choose_client_authentication(metadata)
    values["token_endpoint_auth_method"] = method
    encoding = metadata.get("client_secret_basic_encoding") or _learned_of(metadata).get(
        "client_secret_basic_encoding", "form"
    )
    values["client_secret_basic_encoding"] = encoding
    if method == "client_secret_basic":
        values["basic_fallback"] = _choose_basic_fallback(metadata, encoding)
    newest, *earlier = credentials.client_secrets or (None,)
    values |= {"name": name, "client_id": credentials.client_id, "client_secret": newest}
    values |= {"earlier_client_secrets": tuple(earlier), "private_key": credentials.private_key}
    return Provider(**values)


def _default_scopes(metadata: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the scopes to ask for by default: a provider with an issuer has OpenID Connect."""
    return STANDARD_SCOPES if metadata.get("issuer") else ()


def _read_offline_access(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a refresh token takes where the issuer publishes its scope.

    The scope alone is ignored by providers that obey OpenID Connect Core section 11.
    """
    if OFFLINE_ACCESS not in metadata.get("scopes_supported", ()):
        return {"publishes_offline_access": False}
    standard = {"offline_scope": OFFLINE_ACCESS, "offline_parameters": {"prompt": "consent"}}
    given = {name: metadata[name] for name in standard if name in metadata}
    return {"publishes_offline_access": True, **standard, **given}


def _learned_of(metadata: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the settings that were learned; those of the operator override them."""
    learned: Mapping[str, Any] = metadata.get("learned") or {}
    return learned


def _choose_client_authentication(metadata: Mapping[str, Any]) -> str:
    """Return the configured method, else the learned or the best published one (RFC 8414)."""
    name = "token_endpoint_auth_method"
    chosen = metadata.get(name) or _learned_of(metadata).get(name)
    if chosen:
        return str(chosen)
    supported = _supported_methods(metadata)
    for method in ("client_secret_basic", "client_secret_post", "none"):
        if method in supported:
            return method
    raise ProviderNotConfigured(
        "No client authentication of ours is among token_endpoint_auth_methods_supported: set "
        "token_endpoint_auth_method and what it needs."
    )


def _supported_methods(metadata: Mapping[str, Any]) -> list[str]:
    return metadata.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]


def _choose_basic_fallback(metadata: Mapping[str, Any], encoding: str) -> Mapping[str, str] | None:
    """Return what to try once for a server that reads Basic otherwise than RFC 6749 has it.

    A secret in the body is read alike by all; where that is not published, the other form of
    Basic is left. What the operator has set is not departed from.
    """
    if metadata.get("client_secret_basic_encoding"):
        return None
    is_chosen = bool(metadata.get("token_endpoint_auth_method"))
    if not is_chosen and "client_secret_post" in _supported_methods(metadata):
        return {"token_endpoint_auth_method": "client_secret_post"}
    return {"client_secret_basic_encoding": "raw" if encoding == "form" else "form"}
