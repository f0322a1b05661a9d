"""What an operator may set of a provider, each field checked by itself."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationInfo, field_validator

from actors.providers.config.field_types import (
    URL,
    AuthorizationEndpoint,
    AuthorizationParameters,
    BaseURL,
    Certificate,
    ClientSecret,
    PrivateKey,
    ScopeName,
    Text,
)
from actors.providers.protocol.provider import presets

_Kind = Literal[
    "grant_dead", "client_misconfigured", "scope", "rate_limited", "transient", "malformed"
]


class ProviderSettings(BaseModel):
    """What an operator may set, by the names of RFC 8414, RFC 7591 and presets.toml."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)

    preset: str | None = None
    base_url: BaseURL | None = None
    issuer: BaseURL | None = None
    authorization_endpoint: AuthorizationEndpoint | None = None
    token_endpoint: URL | None = None
    userinfo_endpoint: URL | None = None
    emails_endpoint: URL | None = None
    revocation_endpoint: URL | None = None
    debug_token_endpoint: URL | None = None
    jwks_uri: URL | None = None
    client_id: Text | None = None
    client_secret: ClientSecret | None = None
    client_secrets: list[ClientSecret] | None = Field(default=None, min_length=1, max_length=5)
    private_key: PrivateKey | None = None
    key_id: Text | None = None
    certificate: Certificate | None = None
    team_id: Text | None = None
    scopes: list[ScopeName] | None = Field(default=None, max_length=100)
    scope_separator: Literal[" ", ","] | None = None
    scope_aliases: dict[ScopeName, ScopeName] | None = None
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
    authorization_parameters: AuthorizationParameters | None = None
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
    failure_kinds: dict[Text, _Kind] | None = None
    failure_remedies: dict[Text, Text] | None = None
    revocation: Literal["rfc7009", "github_grant", "facebook_permissions", "slack"] | None = None
    offline_scope: ScopeName | None = None
    offline_parameters: dict[Text, Text] | None = None
    profile: dict[Literal["subject", "email", "email_verified", "name", "picture"], Text] | None = (
        None
    )
    told_once: list[Literal["name", "picture"]] | None = None
    email_trust: Literal["claim", "explicit", "present", "never"] | None = None

    @field_validator("preset")
    @classmethod
    def _is_known(cls, value: str | None) -> str | None:
        if value is not None and value not in presets():
            raise ValueError(f"must be one of {', '.join(sorted(presets()))}")
        return value

    @field_validator("base_url")
    @classmethod
    def _is_used(cls, value: str | None, info: ValidationInfo) -> str | None:
        users = [name for name, preset in presets().items() if "base_url" in preset]
        is_told = "preset" not in info.data  # One that is wrong itself stands there no more.
        if value is not None and not is_told and info.data["preset"] not in users:
            raise ValueError(f"is a setting of the presets {' and '.join(sorted(users))} alone")
        return value

    @field_validator("client_secrets")
    @classmethod
    def _is_alone(
        cls, value: list[SecretStr] | None, info: ValidationInfo
    ) -> list[SecretStr] | None:
        if value is not None and info.data.get("client_secret") is not None:
            raise ValueError("is the newest client_secret and those before: give one of both")
        return value
