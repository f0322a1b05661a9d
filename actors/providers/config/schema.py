"""Schema of a provider's settings: which fields there are, and what is wrong with a body."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from actors.errors import ProviderInvalid
from actors.providers.config.field_types import (
    URL,
    AssertionAudience,
    AuthorizationEndpoint,
    AuthorizationParameters,
    BaseURL,
    Certificate,
    ClientSecret,
    MemberName,
    PrivateKey,
    ScopeName,
    Text,
    check_algorithm,
)
from actors.providers.config.lookup import is_provider_name
from actors.providers.protocol.provider import SigningAlgorithm
from actors.providers.protocol.provider_builder import presets

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

#: /v1/oauth/callback/authorize is the callback of a provider that is called authorize.
_RESERVED_NAME: Final = "callback"

_FailureKind = Literal[
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
    userinfo_method: Literal["GET", "POST"] | None = None
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
    implied_scopes: dict[ScopeName, list[ScopeName]] | None = None
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
    token_endpoint_auth_signing_alg: SigningAlgorithm | None = None
    client_assertion_audience: AssertionAudience | None = None
    client_secret_basic_encoding: Literal["form", "raw"] | None = None
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
    refresh_token_grace_seconds: int | None = Field(default=None, ge=1, le=315_360_000)
    grant_lifetime_seconds: int | None = Field(default=None, ge=1, le=315_360_000)
    grant_idle_lifetime_seconds: int | None = Field(default=None, ge=1, le=315_360_000)
    renewal: Literal["refresh_token", "fb_exchange_token", "none"] | None = None
    token_answer: Literal["standard", "slack_app"] | None = None
    redirect_uri_at_renewal: bool | None = None
    failure_kinds: dict[Text, _FailureKind] | None = None
    failure_remedies: dict[Text, Text] | None = None
    revocation: (
        Literal["rfc7009", "github_grant", "facebook_permissions", "slack", "none"] | None
    ) = None
    metadata: list[MemberName] | None = Field(default=None, max_length=50)
    offline_access: bool | None = None
    offline_scope: ScopeName | None = None
    offline_parameters: dict[Text, Text] | None = None
    profile: dict[Literal["subject", "email", "email_verified", "name", "picture"], Text] | None = (
        None
    )
    emails: dict[Literal["list", "email", "primary", "verified"], Text] | None = None
    told_once: list[Literal["name", "picture"]] | None = None
    email_trust: Literal["claim", "explicit", "present", "never"] | None = None

    @field_validator("implied_scopes")
    @classmethod
    def _has_one_star_each(cls, value: dict[str, list[str]] | None) -> dict[str, list[str]] | None:
        for scope, implied in (value or {}).items():
            if any(name.count("*") > 1 for name in (scope, *implied)):
                raise ValueError("each scope may have one * at most")
            if "*" not in scope and any("*" in name for name in implied):
                raise ValueError("a scope without * implies scopes without *")
        return value

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
        is_preset_invalid = "preset" not in info.data
        if value is not None and not is_preset_invalid and info.data["preset"] not in users:
            raise ValueError(f"is a setting of the presets {' and '.join(sorted(users))} alone")
        return value

    @field_validator("token_endpoint_auth_signing_alg")
    @classmethod
    def _fits_key(cls, value: str | None, info: ValidationInfo) -> str | None:
        key = info.data.get("private_key")
        if value is not None and key is not None:
            check_algorithm(key, value)
        return value

    @field_validator("client_secrets")
    @classmethod
    def _is_alone(
        cls, value: list[SecretStr] | None, info: ValidationInfo
    ) -> list[SecretStr] | None:
        if value is not None and info.data.get("client_secret") is not None:
            raise ValueError("is the newest client_secret and those before: give one of both")
        return value


def validate_name(name: str) -> None:
    """Make sure that a provider may have this name.

    Raises:
        ProviderInvalid: It may not.
    """
    if not is_provider_name(name):
        raise ProviderInvalid({"name": "must be lower case letters, digits, - and _, 64 at most"})
    if name == _RESERVED_NAME:
        raise ProviderInvalid(
            {"name": f"must not be {_RESERVED_NAME}, whose routes are the callback's"}
        )


def validate_settings(body: Mapping[str, Any]) -> ProviderSettings:
    """Return the settings that a body holds.

    Raises:
        ProviderInvalid: A field cannot be used, or an endpoint is missing that neither a preset
            nor an issuer gives. `fields` has a sentence for each, by its JSON pointer.
    """
    try:
        settings = ProviderSettings.model_validate(dict(body))
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False)
        raise ProviderInvalid(
            {_build_pointer(one["loc"]): _write_sentence(one) for one in problems}
        ) from None
    _check_endpoints(settings)
    return settings


def _build_pointer(path: Sequence[int | str]) -> str:
    """Return a path as a JSON pointer writes it (RFC 6901 section 3)."""
    # pydantic appends [key] to the path of a dictionary's key.
    parts = (str(part) for part in path if part != "[key]")
    return "/".join(part.replace("~", "~0").replace("/", "~1") for part in parts)


def _write_sentence(problem: ErrorDetails) -> str:
    if problem["type"] == "extra_forbidden":
        return "is no setting of a provider"
    return problem["msg"].removeprefix("Value error, ")


def _check_endpoints(settings: ProviderSettings) -> None:
    """Make sure that a preset, an issuer or the operator gives the endpoints."""
    if settings.preset is not None or settings.issuer is not None:
        return
    needed = ("authorization_endpoint", "token_endpoint")
    missing = [name for name in needed if getattr(settings, name) is None]
    if missing:
        raise ProviderInvalid(
            dict.fromkeys(missing, "is needed where there is neither preset nor issuer")
        )
