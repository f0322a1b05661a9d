"""Env file: the lines of `.env`, none of which is dropped or misread in silence."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import Final

from dotenv.parser import Binding, parse_stream

from environment import is_known, suggest_name
from settings import ConfigurationError

_ASSIGNMENT: Final = re.compile(r"\s*(?:export\s+)?([A-Z0-9][A-Z0-9_]*)\s*=")
_REMEDY: Final = "Write NAME=value, a value with spaces or # in single quotes that are closed."


def parse_env_file(text: str) -> dict[str, str | None]:
    """Return the variables of `.env`, word for word.

    Raises:
        ConfigurationError: A line cannot be read, or its name is unknown or there before. The
            message gives the line and the remedy, and nothing that might be part of a secret.
    """
    values: dict[str, str | None] = {}
    lines: dict[str, int] = {}
    for binding in parse_stream(io.StringIO(text)):
        if binding.error or binding.key is not None:
            _check(binding, values, lines)
        if binding.key is not None:
            values[binding.key] = binding.value
            lines[binding.key] = _find_line(binding)
    return values


def find_mention(text: str, name: str) -> int | None:
    """Return the line in which a file holds a value of `name` in any form, such as a comment."""
    mention = re.compile(rf"^[\s#;]*(?:(?:export|set)\s+)?{name}[ \t]*[=:][ \t]*\S", re.I | re.M)
    found = mention.search(text)
    return None if found is None else text.count("\n", 0, found.end()) + 1


def _check(binding: Binding, values: dict[str, str | None], lines: dict[str, int]) -> None:
    where = f".env, line {_find_line(binding)}"
    if binding.error or binding.value is None:
        raise ConfigurationError(f"{where}, cannot be read. {_REMEDY}")
    if swallowed := _find_swallowed_name(binding.original.string):
        raise ConfigurationError(
            f"{where}, has an open quote, and {swallowed} further down became part of its value. "
            f"{_REMEDY}"
        )
    name = binding.key or ""
    if not is_known(name):
        raise ConfigurationError(f"{where}, sets no variable of the service. {_advise(name)}")
    if values.get(name):
        raise ConfigurationError(f"{where}, sets {name}, as line {lines[name]} does: keep one.")
    if "\0" in binding.value:
        raise ConfigurationError(f"{where}, holds a NUL byte: write {name} anew.")


def _find_line(binding: Binding) -> int:
    """Return the line of a binding, before which the parser counts the empty ones."""
    text = binding.original.string
    return binding.original.line + text[: len(text) - len(text.lstrip())].count("\n")


def _advise(name: str) -> str:
    rest = ".env.example lists all names; what other programs read belongs elsewhere."
    return f"{suggest_name(name)}{rest}"


def _find_swallowed_name(text: str) -> str | None:
    """Return a name of ours that begins a later line of a value, which a lost quote has joined."""
    return next(filter(is_known, _list_names(text.strip().splitlines()[1:])), None)


def _list_names(lines: list[str]) -> Iterator[str]:
    for line in lines:
        if found := _ASSIGNMENT.match(line):
            yield found[1]
