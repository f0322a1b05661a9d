"""Members of a new connection that is moved in: its tokens, and what is known of the account."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import AfterValidator, ConfigDict, Field

from actors.moving.records import ImportRecord
from catfeeder.sealing import Secret
from worker.http.schemas.fields import (
    Body,
    Subject,
    Text,
    Time,
    accept_secret,
    check_storable,
    check_storable_json,
)
from worker.http.schemas.rules import at_least_one, state_pattern

#: Tokens with many claims take some 16,000 characters.
_MAX_TOKEN_LENGTH: Final = 32_768
_MAX_MEMBERS: Final = 64
_Token = Annotated[Secret, accept_secret(_MAX_TOKEN_LENGTH), state_pattern("^[!-~]+$")]
_Members = Annotated[
    dict[str, Any], AfterValidator(check_storable_json), Field(max_length=_MAX_MEMBERS)
]


class ImportedTokens(Body):
    """The tokens of a grant of another system, one at least; what is not known is left out."""

    model_config = ConfigDict(json_schema_extra=at_least_one("access_token", "refresh_token"))

    access_token: _Token | None = None
    refresh_token: _Token | None = None
    token_type: Text | None = None
    expires_at: Time | None = Field(
        default=None, description="When the access token expires; it is renewed soon without one."
    )
    refresh_token_expires_at: Time | None = Field(
        default=None, description="When the refresh token, and so the grant, expires."
    )
    scope: Annotated[str, AfterValidator(check_storable), Field(max_length=8192)] | None = Field(
        default=None, description="The granted scopes, parted by spaces or commas."
    )


class ImportedProfile(Body):
    """What is known of the account; a verification completes it."""

    subject: Subject | None = Field(
        default=None,
        description="The provider's own name for the user, such as the `sub` of an id_token. "
        "Unknown, it is learned by `verify`, or when user info is asked for.",
    )
    email: Text | None = None
    email_verified: bool | None = None
    name: Text | None = None
    picture: Text | None = None
    raw: _Members | None = Field(default=None, description="What the provider answered.")


class ImportFields(Body):
    """What a connection is moved in with."""

    tokens: ImportedTokens | None = Field(
        default=None, description="Of a grant that was made elsewhere, for the same client."
    )
    profile: ImportedProfile | None = None
    metadata: _Members | None = Field(
        default=None, description="Further members that the API cannot be called without."
    )
    created_at: Time | None = Field(
        default=None, description="When the user gave consent, if that is known."
    )
    replace: bool = Field(
        default=False,
        description="Take the place of another grant of the account, though that works.",
    )
    verify: bool = Field(
        default=False,
        description="Prove the grant by one renewal and user info, in a job whose result the "
        "connection is.",
    )


def to_record(
    provider: str, subject: str | None, fields: ImportFields, variables: Mapping[str, str]
) -> ImportRecord:
    """Return what a request wants imported."""
    tokens = fields.tokens or ImportedTokens()
    return ImportRecord(
        provider=provider,
        subject=subject,
        access_token=tokens.access_token,
        refresh_token=tokens.refresh_token,
        token_type=tokens.token_type,
        expires_at=tokens.expires_at,
        refresh_token_expires_at=tokens.refresh_token_expires_at,
        scope=tokens.scope,
        profile=fields.profile.model_dump() if fields.profile else {},
        metadata=fields.metadata,
        variables=variables,
        created_at=fields.created_at,
        replace=fields.replace,
    )
