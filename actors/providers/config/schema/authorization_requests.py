"""Authorization request settings: scopes, PKCE, parameters and their names."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from actors.providers.config.schema.types.fields import (
    AuthorizationParameters,
    OfflineScope,
    ScopeName,
)
from actors.providers.config.schema.types.parameters import (
    CodeParameter,
    ParameterNames,
    ResponseType,
    ScopeSeparator,
)
from actors.providers.config.schema.types.part import SettingsPart


class AuthorizationRequestSettings(SettingsPart):
    """What is written in the authorization request (RFC 6749 section 4.1.1, RFC 7636)."""

    scopes: list[ScopeName] | None = Field(default=None, max_length=100)
    scope_separator: ScopeSeparator | None = None
    scope_aliases: dict[ScopeName, ScopeName] | None = None
    implied_scopes: dict[ScopeName, list[ScopeName]] | None = None
    code_challenge_method: Literal["S256", "plain", "none"] | None = None
    authorization_parameters: AuthorizationParameters | None = None
    parameter_names: ParameterNames | None = None
    response_type: ResponseType | None = None
    code_parameter: CodeParameter | None = None
    offline_access: bool | None = None
    offline_scope: OfflineScope | None = None
    offline_parameters: AuthorizationParameters | None = None
    authorization_response_iss_parameter_supported: bool | None = None
    claims_parameter_supported: bool | None = None

    @field_validator("implied_scopes")
    @classmethod
    def _has_one_star_each(cls, value: dict[str, list[str]] | None) -> dict[str, list[str]] | None:
        for scope, implied in (value or {}).items():
            if any(name.count("*") > 1 for name in (scope, *implied)):
                raise ValueError("each scope may have one * at most")
            if "*" not in scope and any("*" in name for name in implied):
                raise ValueError("a scope without * implies scopes without *")
        return value
