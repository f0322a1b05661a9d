"""Requests for connections: the query of the list, and the body of a new one.

The answers are shapes of `catfeeder.results`.
"""

from __future__ import annotations

from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator
from pydantic_core import PydanticCustomError

from actors.providers.protocol.tokens.targets import MAX_TARGET_LENGTH, MAX_TARGETS
from models.oauth.connections import ConnectionStatus
from worker.http.schemas.fields import (
    Cursor,
    NewSubject,
    Resource,
    Scope,
    SecretText,
    Subject,
    Text,
    Variables,
)
from worker.http.schemas.imports import ImportFields
from worker.http.schemas.rules import PRINTABLE, exactly_one, state


class ConnectionQuery(BaseModel):
    """The connections to list; an unknown parameter is refused, not ignored."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    provider: Text | None = None
    subject: Subject | None = None
    status: ConnectionStatus | None = None
    email: Text | None = Field(
        default=None, description="The whole address of a profile, in any case."
    )
    cursor: Cursor | None = Field(default=None, description="A page's `next_cursor`.")
    limit: int = Field(default=100, ge=1, le=500)


Audience = Annotated[Text, state(pattern=PRINTABLE, maxLength=MAX_TARGET_LENGTH)]


class TokenQuery(BaseModel):
    """What a token is asked for, where not for all that was granted; `resource` may be repeated."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    scope: Scope | None = Field(
        default=None, description="Names parted by spaces, of those granted."
    )
    resource: list[Resource] = Field(
        default_factory=list,
        max_length=MAX_TARGETS,
        description="Where the token is to be used: absolute URIs (RFC 8707).",
    )
    audience: list[Audience] = Field(
        default_factory=list,
        max_length=MAX_TARGETS,
        description="The same, by the services' logical names (RFC 8693).",
    )


#: What a connection can be made from; a body has one of them.
_SOURCES: Final = ("credentials", "tokens")
_MAX_MEMBERS: Final = 32
_EXAMPLES: Final[list[JsonValue]] = [
    {"provider": "mailer", "subject": "user-1", "credentials": {"api_key": "the key"}},
    {"provider": "shop", "credentials": {"username": "alice", "password": "her password"}},
    {"provider": "house", "credentials": {}, "scope": "read"},
    {
        "provider": "google",
        "subject": "user-42",
        "tokens": {"refresh_token": "1//0eXample", "scope": "openid email"},
        "profile": {"subject": "10769150350006150715113082367"},
    },
]
#: The members that each kind of provider takes are checked by `actors`.
CredentialMembers = Annotated[
    dict[Annotated[str, Field(min_length=1, max_length=64)], SecretText],
    Field(max_length=_MAX_MEMBERS),
]


class NewConnectionBody(ImportFields):
    """A connection without a sign-in: what it is made from, and whose it is."""

    model_config = ConfigDict(json_schema_extra={"examples": _EXAMPLES, **exactly_one(*_SOURCES)})

    provider: Text
    subject: NewSubject | None = None
    credentials: CredentialMembers | None = Field(
        default=None,
        description="`api_key`; `username` and `password`; or what the provider's grant takes.",
    )
    scope: Scope | None = Field(default=None, description="What to ask for by credentials.")
    variables: Variables = Field(
        default_factory=dict,
        description="What the provider's URLs are filled in with, as its settings name it.",
    )

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        if sum(getattr(self, source) is not None for source in _SOURCES) != 1:
            raise PydanticCustomError("source", f"Give one of {', '.join(_SOURCES)}")
        return self
