"""Bodies of the OAuth routes."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import AfterValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from catfeeder.sealing import Secret
from worker.http.schemas.fields import (
    Body,
    NewSubject,
    Scope,
    Text,
    Variables,
    accept_secret,
    check_storable,
)
from worker.http.schemas.rules import STORABLE, exactly_one, not_both, state_pattern

#: Characters of what comes back from a provider. Codes that are signed tokens take some 4,000, and
#: tokens with many claims some 16,000; a message to a worker takes all of them together.
MAX_CODE_LENGTH: Final = 8192
MAX_STATE_LENGTH: Final = 1024
MAX_ISS_LENGTH: Final = 2048
MAX_USER_LENGTH: Final = 4096
MAX_PARAMETER_LENGTH: Final = 2048
MAX_TOKEN_LENGTH: Final = 32_768

MemberName = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(check_storable)]
ParameterText = Annotated[
    str,
    Field(max_length=MAX_PARAMETER_LENGTH),
    AfterValidator(check_storable),
    state_pattern(STORABLE),
]


class AuthorizeDevice(Body):
    """What a device is to be connected for (RFC 8628 section 3.1); each has a default."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"subject": "user-42"}]})

    subject: NewSubject | None = Field(
        default=None,
        description="Your own name for the user; the connection carries it. Any person who is "
        "shown the code can attach an account to it (docs/security.md); it is on record.",
    )
    scope: Scope | None = Field(
        default=None, description="Scopes parted by spaces, in place of the provider's usual ones."
    )
    variables: Variables | None = Field(
        default=None, description="What the provider's URLs are filled in with, as at `authorize`."
    )


class ExchangeCode(Body):
    """An authorization response that came to a redirect URI of your own."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"code": "SplxlOBeZQQYbYS6WxSbIA", "state": "af0ifjsldkj:google"}]
        }
    )

    code: Annotated[Secret, accept_secret(MAX_CODE_LENGTH)]
    state: Annotated[Secret, accept_secret(MAX_STATE_LENGTH)]
    iss: Text | None = Field(default=None, description="RFC 9207's issuer, if it was sent.")
    user: Annotated[Secret, accept_secret(MAX_USER_LENGTH)] | None = Field(
        default=None, description="What Apple sends beside the code at the first consent, as it is."
    )
    parameters: dict[MemberName, ParameterText] | None = Field(
        default=None,
        max_length=50,
        description="Further parameters of the callback, such as `realmId`; those of the "
        "provider's list are kept as the connection's `metadata`.",
    )


class FetchUserInfo(Body):
    """The source of the profile: give one of the two."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"connection_id": "0b8e4d9c-7c4e-4b8e-9d57-3f2f5f0c1a52"}],
            **exactly_one("connection_id", "access_token"),
            **not_both(("connection_id", "variables")),
        }
    )

    connection_id: Text | None = None
    access_token: Annotated[Secret, accept_secret(MAX_TOKEN_LENGTH)] | None = Field(
        default=None,
        description="Of any app: the profile names its owner, and proves nothing about its sender.",
    )

    variables: Variables | None = Field(
        default=None,
        description="With access_token: what the provider's URLs are filled in with.",
    )

    @model_validator(mode="after")
    def _check_one_source(self) -> FetchUserInfo:
        if (self.connection_id is None) == (self.access_token is None):
            raise PydanticCustomError("exactly_one", "Give either connection_id or access_token")
        if self.connection_id is not None and self.variables:
            raise PydanticCustomError("variables", "A connection has its own variables")
        return self


class RefreshToken(Body):
    """A refresh token that you keep yourself."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"refresh_token": "tGzv3JOkF0XG5Qx2TlKWIA"}]}
    )

    refresh_token: Annotated[Secret, accept_secret(MAX_TOKEN_LENGTH)]
    variables: Variables | None = Field(
        default=None,
        description="What the provider's URLs are filled in with, as at the sign-in.",
    )
