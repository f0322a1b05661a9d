"""Endpoint settings: the preset or the issuer of a provider, and each endpoint's URL."""

from __future__ import annotations

from pydantic import ValidationInfo, field_validator

from actors.providers.catalogue.presets import find_preset, preset_settings
from actors.providers.config.schema.types.fields import (
    URL,
    AuthorizationEndpoint,
    BaseURL,
    Issuer,
    TemplateURL,
)
from actors.providers.config.schema.types.part import SettingsPart
from actors.providers.config.schema.types.variables import Variables
from actors.providers.protocol.provider_builder import needs_base_url


class EndpointSettings(SettingsPart):
    """Where a provider is: its preset or issuer, and its endpoints (RFC 8414)."""

    preset: str | None = None
    variables: Variables | None = None
    base_url: BaseURL | None = None
    issuer: Issuer | None = None
    authorization_endpoint: AuthorizationEndpoint | None = None
    token_endpoint: TemplateURL | None = None
    device_authorization_endpoint: TemplateURL | None = None
    userinfo_endpoint: TemplateURL | None = None
    emails_endpoint: TemplateURL | None = None
    revocation_endpoint: TemplateURL | None = None
    debug_token_endpoint: URL | None = None
    jwks_uri: TemplateURL | None = None

    @field_validator("preset")
    @classmethod
    def _is_known(cls, value: str | None) -> str | None:
        if value is not None and find_preset(value) is None:
            raise ValueError("is no preset: GET /v1/catalogue?query= finds those that there are")
        return value

    @field_validator("base_url")
    @classmethod
    def _is_used(cls, value: str | None, info: ValidationInfo) -> str | None:
        if "preset" not in info.data:
            return value  # The preset is invalid, and says so itself.
        preset = preset_settings(info.data["preset"])
        if value is not None and not needs_base_url(preset):
            raise ValueError("is a setting of presets whose software runs on many servers alone")
        return value
