"""Rules of variables: the pattern, or the list of values, that each value has to meet."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from actors.errors import AuthError
from actors.providers.templates.places import (
    MAX_VALUE_LENGTH,
    Place,
    Placed,
    fits_place,
    list_placeholders,
)

#: A pattern that a value has to match as a whole, or the values that there are.
Rule = str | Sequence[str]

VARIABLE_NAME: Final = re.compile("[a-z][A-Za-z0-9_]{0,31}")
_UNKNOWN: Final = "is no variable of the provider"
_OF_HOSTS: Final = (Place.LABEL, Place.HOST)


class VariablesInvalid(AuthError):
    """Raised for variables that are missing, unknown, or do not meet their rules."""

    message = "The provider takes variables, which are missing or cannot be used."

    def __init__(self, fields: Mapping[str, str]) -> None:
        # A name that is no variable's may be any text of a request or a file.
        shown = {name: "one" if it == _UNKNOWN else name for name, it in fields.items()}
        problems = "; ".join(f"{shown[name]} {problem}" for name, problem in fields.items())
        super().__init__(f"The variables of the request cannot be used: {problems}.")
        self.fields = {f"variables/{name}": problem for name, problem in fields.items()}


def check_variables(
    rules: Mapping[str, Rule], urls: Sequence[str], given: Mapping[str, str] | None
) -> dict[str, str] | None:
    """Return the variables of a request, as they are stored; None for a provider without any.

    `urls` are what they fill in. One of a host is in small letters: hosts do not tell these apart.

    Raises:
        VariablesInvalid: One is missing, unknown, or not what its rule and its places allow.
    """
    given = given or {}
    if not rules and not given:
        return None
    placed = [it for url in urls for it in list_placeholders(url)]
    values = {name: _normalize(name, value, placed) for name, value in given.items()}
    if problems := dict(_find_problems(rules, placed, values)):
        raise VariablesInvalid(problems)
    return values or None


def _normalize(name: str, value: str, placed: Sequence[Placed]) -> str:
    is_of_host = any(it.name == name and it.place in _OF_HOSTS for it in placed)
    return value.lower() if is_of_host else value


def _find_problems(
    rules: Mapping[str, Rule], placed: Sequence[Placed], values: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    for name in values.keys() - rules.keys():
        shown = name if VARIABLE_NAME.fullmatch(name) else "one"
        yield shown, _UNKNOWN
    for name, rule in rules.items():
        value = values.get(name)
        if value is None:
            yield name, f"is missing: {_describe(rule)}"
        elif not is_allowed(name, value, rule, placed):
            yield name, _describe(rule)


def is_allowed(name: str, value: str, rule: Rule, placed: Sequence[Placed]) -> bool:
    """Return whether a value meets the rule of a variable, and fits wherever it stands."""
    is_listed = not isinstance(rule, str)
    places = [it.place for it in placed if it.name == name] or [Place.QUERY]
    return meets(value, rule) and all(
        fits_place(value, place, is_listed=is_listed) for place in places
    )


def meets(value: str, rule: Rule) -> bool:
    """Return whether a value matches the pattern, or is in the list."""
    if not isinstance(rule, str):
        return value in rule
    return len(value) <= MAX_VALUE_LENGTH and re.fullmatch(rule, value, re.ASCII) is not None


def _describe(rule: Rule) -> str:
    if isinstance(rule, str):
        return f"must match {rule}, and be one label of a host or one segment of a path"
    return f"must be one of {', '.join(rule)}"
