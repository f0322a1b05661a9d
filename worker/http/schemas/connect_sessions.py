"""Body of a connect session."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from worker.http.schemas.fields import Body, NewSubject, ReturnTo, Text
from worker.http.schemas.rules import exactly_one, needs, not_both

_MAX_PROVIDERS = 100


class NewConnectSession(Body):
    """For whom a page is, what it offers, and where it leads back to."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "subject": "user-42",
                    "providers": ["github", "notion"],
                    "return_to": "https://app.example.com/settings",
                }
            ],
            **exactly_one("subject", "connection_id"),
            **not_both(("connection_id", "providers")),
            **needs("relay", "return_to"),
        }
    )

    subject: NewSubject | None = Field(
        default=None, description="Your own name for the user; the connections carry it."
    )
    connection_id: Text | None = Field(
        default=None,
        description="In place of `subject`: the connection that its user is to connect anew.",
    )
    providers: Annotated[list[Text], Field(min_length=1, max_length=_MAX_PROVIDERS)] | None = Field(
        default=None, description="What the page offers; all that the app may use if left out."
    )
    return_to: ReturnTo | None = Field(
        default=None,
        description="Where the page leads back to, with `connection_ids`; its origin must be one "
        "of the app's `return_to_origins`.",
    )
    relay: bool = Field(
        default=False,
        description="Pass `code`, `state` and `iss` of each sign-in on to `return_to`, where you "
        "redeem them for the user of your own session. So no other person who is sent the link "
        "can be connected; device codes and forms of credentials are not offered.",
    )

    @model_validator(mode="after")
    def _check_combination(self) -> NewConnectSession:
        if (self.subject is None) == (self.connection_id is None):
            raise PydanticCustomError("exactly_one", "Give subject or connection_id, not both")
        if self.connection_id is not None and self.providers is not None:
            raise PydanticCustomError("exactly_one", "Give connection_id or providers, not both")
        if self.relay and self.return_to is None:
            raise PydanticCustomError("return_to_needed", "Without return_to nothing is relayed")
        return self
