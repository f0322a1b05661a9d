"""What an operator may set of a provider, each field checked by itself."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationInfo, field_validator

from actors.errors import AddressForbidden
from actors.providers.addresses import check_url
from actors.providers.provider import presets
from catfeeder.sealing import Secret
from config import current_settings

_Text = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]{1,2048}$")]
_URL = Annotated[str, Field(min_length=1, max_length=2048)]
_Secret = Annotated[SecretStr, Field(min_length=1, max_length=4096)]
_Scope = Annotated[str, Field(pattern=r"^[\x21\x23-\x5b\x5d-\x7e]{1,255}$")]
_Kind = Literal[
    "grant_dead", "client_misconfigured", "scope", "rate_limited", "transient", "malformed"
]


class ProviderSettings(BaseModel):
    """What an operator may set, by the names of RFC 8414, RFC 7591 and presets.toml."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)

    preset: str | None = None
    base_url: _URL | None = None
    issuer: _URL | None = None
    authorization_endpoint: _URL | None = None
    token_endpoint: _URL | None = None
    userinfo_endpoint: _URL | None = None
    emails_endpoint: _URL | None = None
    revocation_endpoint: _URL | None = None
    debug_token_endpoint: _URL | None = None
    jwks_uri: _URL | None = None
    client_id: _Text | None = None
    client_secret: _Secret | None = None
    client_secrets: list[_Secret] | None = Field(default=None, min_length=1, max_length=5)
    private_key: SecretStr | None = Field(default=None, max_length=16384)
    key_id: _Text | None = None
    certificate: str | None = Field(default=None, max_length=16384)
    team_id: _Text | None = None
    scopes: list[_Scope] | None = None
    scope_separator: Literal[" ", ","] | None = None
    scope_aliases: dict[_Scope, _Scope] | None = None
    token_endpoint_auth_method: (
        Literal[
            "client_secret_basic",
            "client_secret_post",
            "private_key_jwt",
            "apple_client_secret",
            "none",
        ]
        | None
    ) = None
    code_challenge_method: Literal["S256", "none"] | None = None
    uses_nonce: bool | None = None
    always_gives_id_token: bool | None = None
    authorization_response_iss_parameter_supported: bool | None = None
    authorization_parameters: dict[_Text, _Text] | None = None
    default_lifetime_seconds: int | None = Field(default=None, ge=1, le=315_360_000)
    minimum_renewal_gap_seconds: int | None = Field(default=None, ge=0, le=31_536_000)
    maximum_renewals_per_minute: int | None = Field(default=None, ge=1, le=10_000)
    renewal_margin_seconds: int | None = Field(default=None, ge=1, le=315_360_000)
    single_use_refresh_tokens: bool | None = None
    grant_lifetime_seconds: int | None = Field(default=None, ge=1, le=315_360_000)
    grant_idle_lifetime_seconds: int | None = Field(default=None, ge=1, le=315_360_000)
    renewal: Literal["refresh_token", "fb_exchange_token", "none"] | None = None
    token_answer: Literal["standard", "slack_app"] | None = None
    redirect_uri_at_renewal: bool | None = None
    failure_kinds: dict[_Text, _Kind] | None = None
    failure_remedies: dict[_Text, _Text] | None = None
    revocation: Literal["rfc7009", "github_grant", "facebook_permissions", "slack"] | None = None
    offline_scope: _Scope | None = None
    offline_parameters: dict[_Text, _Text] | None = None
    profile: (
        dict[Literal["subject", "email", "email_verified", "name", "picture"], _Text] | None
    ) = None
    told_once: list[Literal["name", "picture"]] | None = None
    email_trust: Literal["claim", "explicit", "present", "never"] | None = None

    @field_validator("preset")
    @classmethod
    def _is_known(cls, value: str | None) -> str | None:
        if value is not None and value not in presets():
            raise ValueError(f"must be one of {', '.join(sorted(presets()))}")
        return value

    @field_validator("client_secrets")
    @classmethod
    def _is_alone(
        cls, value: list[SecretStr] | None, info: ValidationInfo
    ) -> list[SecretStr] | None:
        if value is not None and info.data.get("client_secret") is not None:
            raise ValueError("is the newest client_secret and those before: give one of both")
        return value

    @field_validator("private_key")
    @classmethod
    def _is_key(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            _check_private_key(Secret(value.get_secret_value()))
        return value

    @field_validator("certificate")
    @classmethod
    def _is_certificate(cls, value: str | None) -> str | None:
        if value is not None:
            _check_certificate(value)
        return value

    @field_validator(
        "base_url",
        "issuer",
        "authorization_endpoint",
        "token_endpoint",
        "userinfo_endpoint",
        "emails_endpoint",
        "revocation_endpoint",
        "debug_token_endpoint",
        "jwks_uri",
    )
    @classmethod
    def _is_permitted(cls, value: str | None) -> str | None:
        if value is not None:
            _check_url(value)
        return value


def _check_url(url: str) -> None:
    try:
        check_url(url, current_settings().allowed_private_hosts)
    except AddressForbidden:
        raise ValueError(
            "must be an https URL with a host, or one that OAUTH_ALLOWED_PRIVATE_HOSTS names"
        ) from None


def _check_private_key(pem: Secret) -> None:
    # What reads keys brings half of cryptography along, which the shim does not need otherwise.
    from actors.providers.client_assertions import PrivateKeyUnusable, read_private_key

    try:
        read_private_key(pem)
    except PrivateKeyUnusable:
        raise ValueError(
            "must be a private key in PEM, of RSA, an elliptic curve or Ed25519"
        ) from None


def _check_certificate(pem: str) -> None:
    from actors.providers.client_assertions import CertificateUnusable, read_certificate

    try:
        read_certificate(pem)
    except CertificateUnusable:
        raise ValueError("must be one certificate in PEM, of RSA or an elliptic curve") from None
