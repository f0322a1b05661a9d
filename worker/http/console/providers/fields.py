"""Form fields of a provider's settings, made from the JSON schema that PUT validates by."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, NamedTuple

from pydantic import BaseModel, ValidationError

from actors.providers.config.schema.body import ProviderSettings
from actors.providers.config.schema.help_texts import describe_schema
from actors.providers.config.settings import NULLABLE

#: What most providers take, shown first.
_ESSENTIAL: Final = (
    *("preset", "issuer", "base_url", "client_id", "client_secret", "private_key"),
    *("key_id", "team_id", "scopes"),
)
#: A text that may be longer has lines.
_LINE_LENGTH: Final = 2048
#: The inputs of types; a map has a text area for JSON.
_KINDS: Final = {"boolean": "flag", "integer": "number", "array": "lines", "string": "text"}
#: What stands for the secrets before: a tick in the form.
_LEFT_OUT: Final = ("client_secrets",)


@dataclass(frozen=True, slots=True)
class Field:
    """One setting: `kind` is the input, one of those of `_find_kind`.

    `void` is what says "none, whatever the preset has", where the setting has such a value.
    """

    name: str
    kind: str
    help: str
    choices: tuple[str, ...] = ()
    minimum: int | None = None
    maximum: int | None = None
    has_void: bool = False
    void: Any = None


class Group(NamedTuple):
    """Settings of one concern."""

    title: str
    hint: str
    fields: tuple[Field, ...]


@cache
def list_groups() -> tuple[Group, ...]:
    """Return all settings, the usual ones first, then those of each concern."""
    described = describe_schema()["properties"]
    known = {name: _build(name, it) for name, it in described.items() if name not in _LEFT_OUT}
    first = Group("Essentials", "", tuple(known[name] for name in _ESSENTIAL))
    return first, *_list_concerns(known)


def _list_concerns(known: dict[str, Field]) -> Iterator[Group]:
    for concern in reversed(ProviderSettings.__bases__):
        if issubclass(concern, BaseModel):
            names = [it for it in concern.model_fields if it in known and it not in _ESSENTIAL]
            words = re.findall("[A-Z][a-z]+", concern.__name__)
            title = " ".join(words).capitalize()
            yield Group(title, concern.__doc__ or "", tuple(known[name] for name in names))


def _build(name: str, described: dict[str, Any]) -> Field:
    schema = next(it for it in described["anyOf"] if it.get("type") != "null")
    kind = _find_kind(schema)
    choices = schema.get("enum") or schema.get("items", {}).get("enum") or ()
    bounds = schema.get("minimum"), schema.get("maximum")
    has_void, void = _find_void(name, kind)
    meaning = described["description"].replace("`", "")
    return Field(name, kind, meaning, tuple(choices), *bounds, has_void, void)


def _find_kind(schema: dict[str, Any]) -> str:
    if schema.get("format") == "password":
        return "secret"
    if "enum" in schema:
        return "choice"
    if "enum" in schema.get("items", {}):
        return "ticks"
    if schema.get("maxLength", 0) > _LINE_LENGTH:
        return "block"
    return _KINDS.get(schema.get("type", ""), "json")


def _find_void(name: str, kind: str) -> tuple[bool, Any]:
    """Return whether a setting can say that there is none, and by which value."""
    if name in NULLABLE:
        return True, None
    void: Any = {"text": "", "lines": [], "ticks": []}.get(kind)
    return void is not None and _is_accepted(name, void), void


def _is_accepted(name: str, value: Any) -> bool:
    try:
        ProviderSettings.model_validate({name: value})
    except ValidationError:
        return False
    return True
