"""Endpoint settings: the preset or the issuer of a provider, and each endpoint's URL."""

from __future__ import annotations

from pydantic import BaseModel, ValidationInfo, field_validator

from actors.providers.config.schema.field_types import URL, AuthorizationEndpoint, BaseURL
from actors.providers.protocol.provider_builder import presets


class EndpointSettings(BaseModel):
    """Where a provider is: its preset or issuer, and its endpoints (RFC 8414)."""

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
