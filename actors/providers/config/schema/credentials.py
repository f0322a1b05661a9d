"""Credential settings: client_id, secrets and keys, and the client authentication."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from actors.providers.config.schema.types.fields import (
    AssertionAudience,
    Certificate,
    ClientSecret,
    PrivateKey,
    Value,
    check_algorithm,
)
from actors.providers.config.schema.types.part import SettingsPart
from actors.providers.protocol.provider import SigningAlgorithm


class CredentialSettings(SettingsPart):
    """What the client is known by, and how it authenticates (RFC 7591, RFC 7523)."""

    client_id: Value | None = None
    client_secret: ClientSecret | None = None
    client_secrets: list[ClientSecret] | None = Field(default=None, min_length=1, max_length=5)
    private_key: PrivateKey | None = None
    key_id: Value | None = None
    certificate: Certificate | None = None
    team_id: Value | None = None
    token_endpoint_auth_method: (
        Literal[
            "client_secret_basic",
            "client_secret_post",
            "private_key_jwt",
            "apple_client_secret",
            "secret_as_basic_username",
            "secret_as_bearer",
            "none",
        ]
        | None
    ) = None
    token_endpoint_auth_signing_alg: SigningAlgorithm | None = None
    client_assertion_audience: AssertionAudience | None = None
    client_assertion_issuer: Value | None = None
    client_secret_basic_encoding: Literal["form", "raw"] | None = None

    @field_validator("client_secrets")
    @classmethod
    def _is_alone(
        cls, value: list[SecretStr] | None, info: ValidationInfo
    ) -> list[SecretStr] | None:
        if value is not None and info.data.get("client_secret") is not None:
            raise ValueError("is the newest client_secret and those before: give one of both")
        return value

    @field_validator("token_endpoint_auth_signing_alg")
    @classmethod
    def _fits_key(cls, value: str | None, info: ValidationInfo) -> str | None:
        key = info.data.get("private_key")
        if value is not None and key is not None:
            check_algorithm(key, value)
        return value
