"""The kinds of text that a request may hold, and what all bodies have in common."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetPydanticSchema,
)
from pydantic_core import PydanticCustomError, core_schema

from catfeeder.sealing import Secret

_NUL: Final = "\0"
_RFC3339: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}")


class Body(BaseModel):
    """A body of a request: what it does not know it refuses, and it never quotes what was sent."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)


def whole_text(text: str) -> str:
    """Return the text if it can be written in UTF-8.

    JSON can spell half a character, "\\ud800", which no encoding and no database takes.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise PydanticCustomError(
            "lone_surrogate", "Half of a surrogate pair stands alone in this text"
        ) from None
    return text


def storable_text(text: str) -> str:
    """Return the text if every database can hold it."""
    if _NUL in text:
        raise PydanticCustomError("nul_character", "A NUL character stands in this text")
    return whole_text(text)


def storable_json(value: Any) -> Any:
    """Return JSON data if every text in it is storable, names included."""
    match value:
        case str():
            storable_text(value)
        case list():
            for item in value:
                storable_json(item)
        case dict():
            for name, item in value.items():
                storable_text(name)
                storable_json(item)
    return value


def rfc3339_text(value: Any) -> Any:
    """Return the text if it begins like a time of RFC 3339; the rest is read by others."""
    if not isinstance(value, str) or not _RFC3339.match(value):
        raise PydanticCustomError(
            "rfc3339", "This is no time as RFC 3339 writes it, such as 2026-11-23T00:00:00Z"
        )
    return value


def _secret_schema(_source: object, _handler: object) -> core_schema.CoreSchema:
    return core_schema.no_info_after_validator_function(
        lambda text: Secret(whole_text(text)), core_schema.str_schema(strict=True)
    )


#: Text that becomes a Secret as soon as it has come in; it may be empty and hold any character.
SecretText = Annotated[Secret, GetPydanticSchema(_secret_schema)]
#: Text that goes into the database or to a provider.
Text = Annotated[str, Field(min_length=1, max_length=2048), AfterValidator(storable_text)]
#: The name of a user, as long as its column.
Subject = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(storable_text)]
#: A time as RFC 3339 writes it. JSON has none, so what the rest of a body may not do, this must: be
#: read from text. A bare number would be taken for seconds since 1970, "2026" too.
Time = Annotated[AwareDatetime, BeforeValidator(rfc3339_text), Field(strict=False)]
