"""Variables of forms: what a user fills in for a provider, and how it is checked while typed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from actors.providers.protocol.filling import URL_FIELDS
from actors.providers.templates.places import (
    MAX_VALUE_LENGTH,
    PLACEHOLDER,
    Place,
    list_placeholders,
)
from actors.providers.templates.rules import Rule

#: What people type at the place of a variable, where its own rule is a pattern.
_LABEL_PATTERN: Final = "[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_SEGMENT_PATTERN: Final = r"[A-Za-z0-9_~-]+(\.[A-Za-z0-9_~-]+)*"


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable that the user fills in: the patterns that its value meets, or its values."""

    name: str
    patterns: Sequence[str]
    values: Sequence[str]
    #: A URL that it is a part of, as far as people know it, such as https://{subdomain}.example.
    example: str
    #: Hosts do not tell small letters from capitals.
    is_of_host: bool = False


def list_variables(settings: Mapping[str, Any]) -> Iterator[Variable]:
    """Yield the variables of a provider, by its settings."""
    urls = [str(url) for name in URL_FIELDS if (url := settings.get(name))]
    for name, rule in (settings.get("variables") or {}).items():
        yield _describe_variable(name, rule, urls)


def _describe_variable(name: str, rule: Rule, urls: Sequence[str]) -> Variable:
    url = next((url for url in urls if f"{{{name}}}" in url), "")
    if not isinstance(rule, str):
        return Variable(name, (), tuple(rule), _shorten(url, name))
    is_label = any(it == (name, Place.LABEL) for one in urls for it in list_placeholders(one))
    place = _LABEL_PATTERN if is_label else _SEGMENT_PATTERN
    length = f".{{1,{MAX_VALUE_LENGTH}}}"
    return Variable(name, (rule, place, length), (), _shorten(url, name), is_label)


def _shorten(url: str, name: str) -> str:
    """Return a URL up to the part that a variable stands in, and nothing with other ones."""
    start = url.find(f"{{{name}}}")
    end = len(url) if (slash := url.find("/", max(start, len("https://")))) < 0 else slash
    shown = url[:end]
    return shown if [*PLACEHOLDER.findall(shown)] == [name] else ""
