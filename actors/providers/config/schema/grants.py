"""Grant settings: how connections are made, and what requests to the provider's API carry."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from actors.providers.config.schema.placements import (
    AssertionClaims,
    HeaderTemplates,
    InstallationURL,
    QueryTemplates,
)
from actors.providers.config.schema.types.fields import TemplateURL
from actors.providers.config.schema.types.part import SettingsPart
from actors.whole_numbers import TO_WHOLE


class GrantSettings(SettingsPart):
    """The kind of credentials, the grants that make connections, and where keys stand."""

    credential_type: Literal["oauth2", "api_key", "basic"] | None = None
    grant_types: (
        list[
            Literal[
                "authorization_code",
                "refresh_token",
                "urn:ietf:params:oauth:grant-type:device_code",
                "client_credentials",
                "urn:ietf:params:oauth:grant-type:jwt-bearer",
                "urn:ietf:params:oauth:grant-type:token-exchange",
                "github_app_installation",
            ]
        ]
        | None
    ) = Field(default=None, min_length=1, max_length=8)
    assertion_claims: AssertionClaims | None = None
    assertion_lifetime_seconds: Annotated[int, Field(ge=30, le=600), TO_WHOLE] | None = None
    installation_token_endpoint: InstallationURL | None = None
    api_headers: HeaderTemplates | None = None
    api_query_parameters: QueryTemplates | None = None
    check_endpoint: TemplateURL | None = None
    check_method: Literal["GET", "HEAD", "POST"] | None = None
