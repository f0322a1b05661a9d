"""Rules of JSON Schema for what validators check: /openapi.json states them, for its clients.

A request that breaks one is refused by the validator, whose sentence is better than a schema's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from pydantic import Field
from pydantic.config import JsonDict

#: Without NUL, which PostgreSQL does not store.
STORABLE: Final = r"^[^\u0000]*$"
#: Without control characters.
PRINTABLE: Final = r"^[^\u0000-\u001f\u007f-\u009f]*$"
HTTP_URL: Final = r"^https?://[!-.0-\[\]-~][!-\[\]-~]*$"
#: As a `return_to` begins, also that of a native app.
ORIGIN: Final = r"^[a-z][a-z0-9+.\-]*://[^/?#@\\\s]+$"
RETURN_TO: Final = r"^[a-z][a-z0-9+.\-]*://[^\u0000]*$"
#: Each page's end as base64, in which nothing else is a cursor.
CURSOR: Final = "^[A-Za-z0-9_=-]+$"


def state(**members: Any) -> Any:
    """Return members of a value's schema, which validation knows nothing of."""
    return Field(json_schema_extra=members)


def state_pattern(grammar: re.Pattern[str] | str) -> Any:
    """Return the pattern of a text, of a whole grammar or as it stands in the schema."""
    return state(pattern=grammar if isinstance(grammar, str) else f"^(?:{grammar.pattern})$")


def state_names(names: Iterable[str]) -> Any:
    """Return the pattern of a text that is one of some names, and for clients a text all the same.

    Names that come and go with releases would be an enumeration that each of them breaks.
    """
    return state(pattern=f"^(?:{'|'.join(map(re.escape, names))})$")


def given(*names: str) -> JsonDict:
    """Return the schema of an object that has all of these members, and none of them null."""
    is_given: JsonDict = {"not": {"type": "null"}}
    return {"required": [*names], "properties": dict.fromkeys(names, is_given)}


def true(*flags: str) -> JsonDict:
    """Return the schema of an object in which all of these flags are true."""
    is_true: JsonDict = {"const": True}
    return {"required": [*flags], "properties": dict.fromkeys(flags, is_true)}


def not_both(*pairs: tuple[str, str]) -> JsonDict:
    """Return the rule that an object has one of two members at most, for each pair."""
    return {"allOf": [{"not": given(*pair)} for pair in pairs]}


def exactly_one(first: str, second: str) -> JsonDict:
    """Return the rule that an object has one of two members."""
    return {"oneOf": [given(first), given(second)]}


def at_least_one(*names: str) -> JsonDict:
    """Return the rule that an object has one of these members, or more."""
    return {"anyOf": [given(name) for name in names]}


def needs(flag: str, *names: str) -> JsonDict:
    """Return the rule that an object in which a flag is true has these members."""
    return {"if": true(flag), "then": given(*names)}


def excludes(name: str, value: str, other: str) -> JsonDict:
    """Return the rule that an object with a value has not another member beside it."""
    has_it: JsonDict = {"required": [name], "properties": {name: {"const": value}}}
    return {"if": has_it, "then": {"not": given(other)}}
