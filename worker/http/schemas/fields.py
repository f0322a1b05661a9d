"""Field types of requests: secrets, storable text, times, and identifiers in paths."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

from fastapi import Path
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

from actors.providers.protocol.tokens.targets import MAX_TARGET_LENGTH, RESOURCE
from catfeeder.sealing import Secret
from worker.http.schemas.rules import CURSOR, PRINTABLE, RETURN_TO, STORABLE, state, state_pattern

_NUL: Final = "\0"
_RFC3339: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}")


class Body(BaseModel):
    """The base of all bodies: unknown fields are refused, and no error quotes what was sent."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)


def check_encodable(text: str) -> str:
    """Return a text that can be written in UTF-8.

    JSON can spell half a character, "\\ud800", which no encoding and no database takes.

    Raises:
        PydanticCustomError: It cannot, for `lone_surrogate`.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise PydanticCustomError(
            "lone_surrogate", "Half of a surrogate pair stands alone in this text"
        ) from None
    return text


def check_storable(text: str) -> str:
    """Return a text that every database can hold; raise PydanticCustomError for any other."""
    if _NUL in text:
        raise PydanticCustomError("nul_character", "A NUL character stands in this text")
    return check_encodable(text)


def check_storable_json(value: Any) -> Any:
    """Return JSON data, in which every text must be storable, names included."""
    match value:
        case str():
            check_storable(value)
        case list():
            for item in value:
                check_storable_json(item)
        case dict():
            for name, item in value.items():
                check_storable(name)
                check_storable_json(item)
    return value


def check_rfc3339(value: Any) -> Any:
    """Return a text that begins like a time of RFC 3339; pydantic parses the rest."""
    if not isinstance(value, str) or not _RFC3339.match(value):
        raise PydanticCustomError(
            "rfc3339", "This is no time as RFC 3339 writes it, such as 2026-11-23T00:00:00Z"
        )
    return value


def accept_secret(max_length: int | None = None) -> GetPydanticSchema:
    """Return the schema of text that becomes a Secret as soon as it has come in."""
    text_schema = core_schema.str_schema(strict=True, max_length=max_length)

    def build(_source: object, _handler: object) -> core_schema.CoreSchema:
        return core_schema.no_info_after_validator_function(
            lambda text: Secret(check_encodable(text)), text_schema
        )

    return GetPydanticSchema(build)


#: It may be empty and hold any character.
SecretText = Annotated[Secret, accept_secret()]
#: Text that goes into the database or to a provider.
Text = Annotated[
    str,
    Field(min_length=1, max_length=2048),
    AfterValidator(check_storable),
    state_pattern(STORABLE),
]
#: The name of a user, as long as its column.
Subject = Annotated[
    str,
    Field(min_length=1, max_length=255),
    AfterValidator(check_storable),
    state_pattern(STORABLE),
]
#: The same for what is stored: it is shown on terminals, which would obey control characters.
NewSubject = Annotated[Subject, state_pattern(PRINTABLE)]
#: Names of scopes, parted by blanks (RFC 6749 section 3.3).
Scope = Annotated[Text, state_pattern(r"^[ !#-\[\]-~]*$")]
#: A page's `next_cursor`.
Cursor = Annotated[str, Field(max_length=512), state_pattern(CURSOR)]
#: An absolute URI (RFC 8707 section 2).
Resource = Annotated[Text, state(pattern=f"^(?:{RESOURCE.pattern})$", maxLength=MAX_TARGET_LENGTH)]
#: Where a browser goes in the end.
ReturnTo = Annotated[Text, state_pattern(RETURN_TO)]
#: What fills in the URLs of a provider with a host or a path for each customer.
Variables = Annotated[
    dict[
        Annotated[str, Field(max_length=32), AfterValidator(check_storable)],
        Annotated[
            str, Field(max_length=128), AfterValidator(check_storable), state_pattern(STORABLE)
        ],
    ],
    Field(max_length=20),
    state(propertyNames={"pattern": "^[a-z][A-Za-z0-9_]{0,31}$"}),
]
#: A time as RFC 3339 writes it. JSON has no times, so this is read from text though bodies are
#: strict. A bare number would be taken for seconds since 1970, "2026" too.
Time = Annotated[AwareDatetime, BeforeValidator(check_rfc3339), Field(strict=False)]
_EXAMPLE_ID: Final = "0b8e4d9c-7c4e-4b8e-9d57-3f2f5f0c1a52"
#: Identifiers in paths. A name that nothing can have is not validated here but simply not found.
ConnectionId = Annotated[str, Path(examples=[_EXAMPLE_ID])]
JobId = Annotated[str, Path(examples=[_EXAMPLE_ID])]
ProviderName = Annotated[str, Path(examples=["google"])]
NewProviderName = Annotated[
    str, Path(examples=["google"], json_schema_extra={"pattern": "^[a-z0-9][a-z0-9_-]{0,63}$"})
]
