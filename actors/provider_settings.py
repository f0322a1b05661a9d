"""The operator's settings of a provider: checked on the way in, shown without their secrets."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from actors.audit import EventKind, record
from actors.connections import rfc3339
from actors.errors import AddressForbidden, ProviderInUse, ProviderInvalid
from actors.provider_lookup import is_provider_name, merged_metadata, provider_row
from actors.providers.addresses import check_url
from actors.providers.client_assertions import PrivateKeyUnusable, read_private_key
from actors.providers.provider import presets
from catfeeder.jobs import utc_now
from catfeeder.sealing import Secret
from config import ConfigurationError, current_settings, provider_credential
from models.connections import TAB_CONNECTIONS
from models.database import connected, transaction
from models.providers import TAB_USER_OAUTH_CONNECTION

_Text = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]{1,2048}$")]
_URL = Annotated[str, Field(min_length=1, max_length=2048)]
_Secret = Annotated[SecretStr, Field(min_length=1, max_length=4096)]
_Scope = Annotated[str, Field(pattern=r"^[\x21\x23-\x5b\x5d-\x7e]{1,255}$")]


#: What has a column of its own.
_NO_METADATA: Final = {"preset", "client_id", "client_secret", "client_secrets", "private_key"}


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
    jwks_uri: _URL | None = None
    client_id: _Text | None = None
    client_secret: _Secret | None = None
    client_secrets: list[_Secret] | None = Field(default=None, min_length=1, max_length=5)
    private_key: SecretStr | None = Field(default=None, max_length=16384)
    key_id: _Text | None = None
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
    renewal_margin_seconds: int | None = Field(default=None, ge=1, le=315_360_000)
    renewal: Literal["refresh_token", "fb_exchange_token", "none"] | None = None
    token_answer: Literal["standard", "slack_app"] | None = None
    redirect_uri_at_renewal: bool | None = None
    dead_grant_errors: list[_Text] | None = None
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
            try:
                read_private_key(Secret(value.get_secret_value()))
            except PrivateKeyUnusable:
                raise ValueError(
                    "must be a private key in PEM, of RSA, an elliptic curve or Ed25519"
                ) from None
        return value

    @field_validator(
        "base_url",
        "issuer",
        "authorization_endpoint",
        "token_endpoint",
        "userinfo_endpoint",
        "emails_endpoint",
        "revocation_endpoint",
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


def put_provider(name: str, body: Mapping[str, Any], now: datetime) -> None:
    """Create or replace a provider.

    Raises:
        ProviderInvalid: A field cannot be used; `fields` says which and why.
    """
    _check_name(name)
    settings = _checked(body)
    _check_complete(settings)
    metadata = settings.model_dump(exclude_none=True, exclude=_NO_METADATA)
    secrets = [_unwrapped(one) for one in settings.client_secrets or ()]
    newest = _unwrapped(settings.client_secret) if settings.client_secret else None
    with transaction():
        record(EventKind.PROVIDER_CHANGED, now=now, provider=name, fields=sorted(body))
        TAB_USER_OAUTH_CONNECTION.put(
            name,
            preset=settings.preset,
            client_id=settings.client_id,
            client_secret=secrets[0] if secrets else newest,
            earlier_client_secrets=secrets[1:],
            private_key=_unwrapped(settings.private_key) if settings.private_key else None,
            metadata=metadata,
            now=now,
        )


def _unwrapped(secret: SecretStr) -> Secret:
    return Secret(secret.get_secret_value())


def patch_provider(name: str, body: Mapping[str, Any], now: datetime) -> None:
    """Change the fields that are given, after RFC 7396: null takes a field away.

    Raises:
        ProviderUnknown: There is no such provider.
        ProviderInvalid: A field cannot be used.
    """
    with transaction():
        row = provider_row(name)
        private_key = TAB_USER_OAUTH_CONNECTION.private_key.open(row)
        current = {
            **row.metadata,
            "preset": row.preset,
            "client_id": row.client_id,
            "private_key": private_key.reveal() if private_key else None,
        }
        if not {"client_secret", "client_secrets"} & body.keys():
            current["client_secrets"] = [one.reveal() for one in row.client_secrets] or None
        put_provider(name, _patched(current, body), now)


def _patched(target: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """Return what RFC 7396 section 2 makes of a target and a patch: objects are merged inwards."""
    merged = {**target}
    for name, value in patch.items():
        if isinstance(value, Mapping):
            inner = merged.get(name)
            merged[name] = _patched(inner if isinstance(inner, Mapping) else {}, value)
        else:
            merged[name] = value
    return {name: value for name, value in merged.items() if value is not None}


def erase_provider(name: str) -> None:
    """Delete a provider that nobody is connected to.

    Raises:
        ProviderUnknown: There is no such provider.
        ProviderInUse: Users are connected to it.
    """
    with transaction():
        provider_row(name)
        if TAB_CONNECTIONS.exists_for(name):
            raise ProviderInUse
        TAB_USER_OAUTH_CONNECTION.erase(name)
        record(EventKind.PROVIDER_CHANGED, now=utc_now(), provider=name, erased=True)


def list_providers() -> list[dict[str, Any]]:
    """Return all providers, by name, without their secrets."""
    with connected():
        return [_describe(row) for row in TAB_USER_OAUTH_CONNECTION.listed()]


def describe_provider(name: str) -> dict[str, Any]:
    """Return a provider with all that is known of it, without its secret.

    Raises:
        ProviderUnknown: There is no such provider.
    """
    with connected():
        return _describe(provider_row(name))


def add_configured_presets(now: datetime) -> None:
    """Add a provider for each preset whose credentials stand in the environment."""
    with connected():
        for preset in presets():
            if provider_credential(preset, "CLIENT_ID"):
                TAB_USER_OAUTH_CONNECTION.add_missing(preset, preset, now)


def _describe(row: TAB_USER_OAUTH_CONNECTION) -> dict[str, Any]:
    environment_id = _credential(row.name, "CLIENT_ID")
    has_secret = row.client_secret is not None or _credential(row.name, "CLIENT_SECRET")
    has_earlier = (
        row.earlier_client_secrets is not None
        if row.client_secret is not None
        else _credential(row.name, "CLIENT_SECRET_PREVIOUS")
    )
    has_key = row.private_key is not None or _credential(row.name, "PRIVATE_KEY")
    return {
        **merged_metadata(row),
        "name": row.name,
        "preset": row.preset,
        "client_id": row.client_id or environment_id,
        "has_client_secret": bool(has_secret),
        "has_earlier_client_secrets": bool(has_earlier),
        "has_private_key": bool(has_key),
        "created_at": rfc3339(row.created_at),
        "updated_at": rfc3339(row.updated_at),
    }


def _credential(name: str, part: str) -> str | None:
    try:
        return provider_credential(name, part)
    except ConfigurationError:
        return None  # A file that cannot be read gives none, and hides no provider.


def _check_name(name: str) -> None:
    if not is_provider_name(name):
        raise ProviderInvalid({"name": "must be lower case letters, digits, - and _, 64 at most"})


def _checked(body: Mapping[str, Any]) -> ProviderSettings:
    try:
        return ProviderSettings.model_validate(dict(body))
    except ValidationError as error:
        problems = {}
        for problem in error.errors(include_url=False, include_input=False):
            place = ".".join(str(part) for part in problem["loc"]) or "body"
            problems[place] = problem["msg"].removeprefix("Value error, ")
        raise ProviderInvalid(problems) from None


def _check_complete(settings: ProviderSettings) -> None:
    """Make sure that somebody gives the endpoints: a preset, an issuer or the operator."""
    if settings.preset is None and settings.issuer is None:
        needed = ("authorization_endpoint", "token_endpoint")
        missing = [name for name in needed if getattr(settings, name) is None]
        if missing:
            raise ProviderInvalid(
                dict.fromkeys(missing, "is needed where there is neither preset nor issuer")
            )
