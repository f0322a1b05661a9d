"""Body that makes an API key; the answers are shapes of `actors.api_keys`."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Final

from pydantic import ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from actors.api_keys import ScopeName
from actors.whole_numbers import TO_WHOLE
from worker.http.schemas.fields import Body, NewSubject, Subject, Time
from worker.http.schemas.rules import not_both

_TEN_YEARS: Final = 3650 * 86_400
#: Ten a second, for as long as it takes: more than one app of people needs, less than a loop sends.
_USUAL_REQUESTS_PER_MINUTE: Final = 600


class NewKey(Body):
    """The properties of a new key. Without an end it serves for ever."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"name": "web shop", "scopes": ["jobs", "connections:read"]}],
            **not_both(("expires_at", "lifetime")),
        }
    )

    app: Subject | None = Field(
        default=None, description="The app that it acts for; `default` if left out."
    )
    name: NewSubject = Field(description="What it is for, in your words.")
    scopes: list[ScopeName] = Field(min_length=1, description="`admin` includes the others.")
    expires_at: Time | None = Field(default=None, description="Until when it serves (RFC 3339).")
    lifetime: Annotated[int, Field(ge=1, le=_TEN_YEARS), TO_WHOLE] | None = Field(
        default=None,
        description="The same as seconds from now; give one of the two, or neither.",
    )
    requests_per_minute: Annotated[int, Field(ge=1, le=1_000_000), TO_WHOLE] = Field(
        default=_USUAL_REQUESTS_PER_MINUTE,
        description="How often it may be used: so often at once, and as often in each minute.",
    )

    @model_validator(mode="after")
    def _check_one_end(self) -> NewKey:
        if self.expires_at is not None and self.lifetime is not None:
            raise PydanticCustomError("at_most_one", "Give expires_at or lifetime, not both")
        return self

    def get_end(self, now: datetime) -> datetime | None:
        """Return when the key expires, if ever."""
        return now + timedelta(seconds=self.lifetime) if self.lifetime else self.expires_at
