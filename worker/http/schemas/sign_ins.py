"""Requests that begin and end a sign-in: bodies, and the parameters of login and callback."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.config import JsonDict
from pydantic_core import PydanticCustomError

from actors.oauth.request_parameters import ACR_VALUES, MAX_AGE_LIMIT, PROMPT, UI_LOCALES
from actors.providers.protocol.tokens.targets import MAX_TARGETS
from actors.whole_numbers import TO_WHOLE
from worker.http.schemas.fields import (
    Body,
    NewSubject,
    Resource,
    ReturnTo,
    Scope,
    Text,
    Variables,
)
from worker.http.schemas.rules import PRINTABLE, given, needs, not_both, state_pattern, true


class AuthenticationParameters(BaseModel):
    """What one sign-in asks of its provider (OpenID Connect Core section 3.1.2.1).

    `actors.oauth.request_parameters` checks their grammar.
    """

    prompt: Annotated[Text, state_pattern(PROMPT)] | None = Field(
        default=None,
        description="What the provider's pages do: `none`, `login`, `consent`, `select_account`.",
    )
    login_hint: Annotated[Text, state_pattern(PRINTABLE)] | None = Field(
        default=None, description="The user to expect, such as an address."
    )
    max_age: Annotated[int, Field(ge=0, le=MAX_AGE_LIMIT), TO_WHOLE] | None = Field(
        default=None,
        description="How many seconds ago the user may have logged in with the provider; the "
        "id_token's `auth_time` has to prove it.",
    )
    acr_values: Annotated[Text, state_pattern(ACR_VALUES)] | None = Field(
        default=None,
        description="How the user shall be authenticated, the best first. The id_token's `acr`, "
        "where it states one, has to be among them.",
    )
    acr_essential: bool | None = Field(
        default=None,
        description="The id_token has to prove one of `acr_values` (OpenID Connect Core 5.5.1.1).",
    )
    ui_locales: Annotated[Text, state_pattern(UI_LOCALES)] | None = Field(
        default=None, description="Languages of the provider's pages, the best first."
    )


Resources = Resource | Annotated[list[Resource], Field(min_length=1, max_length=MAX_TARGETS)]


#: Whose account is attached to a subject is bound to a session, or not, and on purpose.
_BOUND: Final[JsonDict] = {
    "if": given("subject"),
    "then": {"anyOf": [true("relay"), true("unbound")]},
}


class Authorize(AuthenticationParameters, Body):
    """The wishes for a sign-in; each has a default."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "subject": "user-42",
                    "relay": True,
                    "return_to": "https://app.example.com/signed-in",
                },
                {
                    "relay": True,
                    "return_to": "https://app.example.com/signed-in",
                    "scope": "openid email",
                    "prompt": "select_account",
                },
            ],
            "allOf": [
                {"not": true("relay", "unbound")},
                needs("relay", "return_to"),
                _BOUND,
            ],
        }
    )

    subject: NewSubject | None = Field(
        default=None,
        description="Your own name for the user; the connection carries it. Needs `relay`, which "
        "binds the sign-in to that user's session, or `unbound`.",
    )
    scope: Scope | None = Field(
        default=None, description="Scopes parted by spaces, in place of the provider's usual ones."
    )
    return_to: ReturnTo | None = Field(
        default=None,
        description="Where the browser goes in the end; its origin must be in config.toml.",
    )
    relay: bool = Field(
        default=False,
        description="Pass `code`, `state` and `iss` on to `return_to` in place of a connection. "
        "Compare `state` with the one in your user's session, then `POST …/exchange`: so no "
        "browser is signed in that has not begun (docs/security.md).",
    )
    unbound: bool = Field(
        default=False,
        description="Attach the account of any browser to `subject`, such as on a device that "
        "shows the URL as a code. A person who is sent the URL is attached, too; it is on record.",
    )
    resource: Resources | None = Field(
        default=None,
        description="Where the token is to be used (RFC 8707): an absolute URI without a fragment, "
        "or a list of them. Sent with the code and at each renewal too.",
    )
    variables: Variables | None = Field(
        default=None,
        description="What the provider's URLs are filled in with, as its settings name it, such as "
        'the subdomain of a customer: `{"subdomain": "acme"}`. The connection keeps them.',
    )
    offline_access: bool | None = Field(
        default=None,
        description="Whether the connection is to last: true asks for a refresh token, with the "
        "consent that it takes; false asks for the identity alone, and prompts for nothing more. "
        "By default as the provider's `offline_access` says, which is true.",
    )

    @model_validator(mode="after")
    def _check_return_to(self) -> Authorize:
        if self.relay and self.unbound:
            raise PydanticCustomError("exactly_one", "Give relay or unbound, not both")
        if self.relay and self.return_to is None:
            raise PydanticCustomError("return_to_needed", "Without return_to nothing is relayed")
        return self


class Login(AuthenticationParameters):
    """The parameters of `login`, also as a third party initiates it (OpenID Connect Core 4).

    Others are ignored, as that section demands.
    """

    model_config = ConfigDict(
        extra="ignore",
        hide_input_in_errors=True,
        json_schema_extra=not_both(("return_to", "target_link_uri")),
    )

    return_to: ReturnTo | None = Field(
        default=None,
        description="Where the browser goes in the end; its origin must be in config.toml.",
    )
    target_link_uri: ReturnTo | None = Field(
        default=None, description="The same, by the name of OpenID Connect Core section 4."
    )
    app: Text | None = Field(default=None, description="The app that the connection belongs to.")
    offline_access: bool | None = Field(
        default=None, description="Whether the connection is to last; else as the provider is set."
    )
    iss: Text | None = Field(
        default=None,
        description="The issuer that initiates the sign-in; it must be the provider's own.",
    )

    @model_validator(mode="before")
    @classmethod
    def _leave_out_empty(cls, fields: dict[str, Any]) -> dict[str, Any]:
        """Take a parameter without a value for one that is left out (RFC 6749 section 3.1)."""
        return {name: value for name, value in fields.items() if value != ""}

    @model_validator(mode="after")
    def _check_one_target(self) -> Login:
        if self.return_to is not None and self.target_link_uri is not None:
            raise PydanticCustomError("at_most_one", "Give return_to or target_link_uri, not both")
        return self
