"""Variable types: the names of variables, and the pattern or the list of values of each."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import AfterValidator, Field

from actors.providers.templates.rules import VARIABLE_NAME

_VALUE: Final = re.compile(r"[A-Za-z0-9_~-]+(\.[A-Za-z0-9_~-]+)*")
_MAX_PATTERN_LENGTH: Final = 200
#: A repeated group can take ages to match a value that was made for it.
_REPEATED_GROUP: Final = re.compile(r"\)[*+{]")
#: What is filled in by other means.
_RESERVED: Final = ("access_token", "base_url", "client_id", "client_secret", "tenantid", "token")


def _check_name(name: str) -> str:
    if not VARIABLE_NAME.fullmatch(name):
        raise ValueError(
            "must have names of letters, digits and _, of which the first is a small letter"
        )
    if name in _RESERVED:
        raise ValueError(f"must not have the name {name}, which stands for something else")
    return name


def _check_rule(rule: str | list[str]) -> str | list[str]:
    if isinstance(rule, str):
        return _check_pattern(rule)
    if not all(len(value) <= 128 and _VALUE.fullmatch(value) for value in rule):
        raise ValueError("must list parts of hosts, or segments of paths")
    return rule


def _check_pattern(pattern: str) -> str:
    if not 1 <= len(pattern) <= _MAX_PATTERN_LENGTH or _REPEATED_GROUP.search(pattern):
        raise ValueError(
            f"must be a regular expression of 1 to {_MAX_PATTERN_LENGTH} characters, without a "
            "group that repeats"
        )
    try:
        re.compile(pattern, re.ASCII)
    except (re.error, OverflowError, RecursionError):
        raise ValueError("must be a regular expression, or a list of values") from None
    return pattern


_Name = Annotated[str, AfterValidator(_check_name)]
_Rule = Annotated[
    str | Annotated[list[str], Field(min_length=1, max_length=200)], AfterValidator(_check_rule)
]
Variables = Annotated[dict[_Name, _Rule], Field(max_length=20)]
