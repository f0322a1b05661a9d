"""Sentences of the API as the command line says them: a route by the command that does the same."""

from __future__ import annotations

import re
from typing import Final

_PROGRAM: Final = "python -m worker"
_COMMANDS: Final = (
    (re.compile(r"(?:PUT|PATCH) /v1/providers/\{name\}"), "providers set NAME"),
    (re.compile(r"(?:PUT|PATCH) /v1/providers/([\w.-]*\w)"), r"providers set \1"),
    (re.compile(r"GET /v1/catalogue\?query="), "providers search"),
    (re.compile(r"DELETE /v1/connections/\{id\}"), "connections disconnect ID"),
    (re.compile(r"PATCH(?= changes it)"), "apps change"),
)


def say_in_commands(sentence: str) -> str:
    """Return a sentence with the commands that do what the routes in it do."""
    for route, command in _COMMANDS:
        sentence = route.sub(rf"`{_PROGRAM} {command}`", sentence)
    return sentence
