"""Identity settings: user info, the profile's paths, and what is kept beside it."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from actors.providers.config.schema.field_types import MemberName, Text


class IdentitySettings(BaseModel):
    """How user info is asked for, and where its parts stand."""

    userinfo_method: Literal["GET", "POST"] | None = None
    uses_nonce: bool | None = None
    always_gives_id_token: bool | None = None
    metadata: list[MemberName] | None = Field(default=None, max_length=50)
    profile: dict[Literal["subject", "email", "email_verified", "name", "picture"], Text] | None = (
        None
    )
    emails: dict[Literal["list", "email", "primary", "verified"], Text] | None = None
    told_once: list[Literal["name", "picture"]] | None = None
    email_trust: Literal["claim", "explicit", "present", "never"] | None = None
