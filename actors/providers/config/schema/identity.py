"""Identity settings: user info, the profile's paths, and what is kept beside it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from actors.providers.config.schema.types.fields import MemberName, Text
from actors.providers.config.schema.types.parameters import Headers
from actors.providers.config.schema.types.part import SettingsPart
from actors.providers.config.schema.types.user_info import (
    ProfilePath,
    TokenScheme,
    UserInfoBody,
)


class IdentitySettings(SettingsPart):
    """How user info is asked for, and where its parts stand."""

    identity: Literal["userinfo", "id_token", "token_response", "none"] | None = None
    userinfo_method: Literal["GET", "POST"] | None = None
    userinfo_headers: Headers | None = None
    userinfo_token_location: Literal["header", "query", "body"] | None = None
    userinfo_token_scheme: TokenScheme | None = None
    userinfo_body: UserInfoBody | None = None
    uses_nonce: bool | None = None
    always_gives_id_token: bool | None = None
    metadata: list[MemberName] | None = Field(default=None, max_length=50)
    profile: (
        dict[Literal["subject", "email", "email_verified", "name", "picture"], ProfilePath] | None
    ) = None
    emails: dict[Literal["list", "email", "primary", "verified"], Text] | None = None
    told_once: list[Literal["name", "picture"]] | None = None
    email_trust: Literal["claim", "explicit", "present", "never"] | None = None
