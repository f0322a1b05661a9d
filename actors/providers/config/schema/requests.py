"""Request settings: scopes, PKCE and parameters of the two requests of a sign-in."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field, field_validator

from actors.providers.config.schema.field_types import AuthorizationParameters, ScopeName, Text


class RequestSettings(BaseModel):
    """What is written in the authorization request and the token request (RFC 6749)."""

    scopes: list[ScopeName] | None = Field(default=None, max_length=100)
    scope_separator: Literal[" ", ","] | None = None
    scope_aliases: dict[ScopeName, ScopeName] | None = None
    implied_scopes: dict[ScopeName, list[ScopeName]] | None = None
    code_challenge_method: Literal["S256", "none"] | None = None
    authorization_parameters: AuthorizationParameters | None = None
    offline_access: bool | None = None
    offline_scope: ScopeName | None = None
    offline_parameters: dict[Text, Text] | None = None
    redirect_uri_at_renewal: bool | None = None
    token_answer: Literal["standard", "slack_app"] | None = None
    authorization_response_iss_parameter_supported: bool | None = None

    @field_validator("implied_scopes")
    @classmethod
    def _has_one_star_each(cls, value: dict[str, list[str]] | None) -> dict[str, list[str]] | None:
        for scope, implied in (value or {}).items():
            if any(name.count("*") > 1 for name in (scope, *implied)):
                raise ValueError("each scope may have one * at most")
            if "*" not in scope and any("*" in name for name in implied):
                raise ValueError("a scope without * implies scopes without *")
        return value
