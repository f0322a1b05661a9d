"""Languages of the pages for users: chosen by Accept-Language (RFC 9110 section 12.5.4)."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

from starlette.requests import Request

_FOLDER: Final = Path(__file__).with_name("languages")
LANGUAGES: Final = ("en", "de", "fr", "es", "ja")
_MAX_RANGES: Final = 20


class Language(NamedTuple):
    """A language's tag (RFC 5646), and its words by their names."""

    tag: str
    words: dict[str, Any]


def choose_language(request: Request) -> Language:
    """Return the language that a browser likes best of those that there are; English else."""
    ranges = request.headers.get("accept-language", "").lower().split(",")[:_MAX_RANGES]
    weighed = [_weigh(text) for text in ranges]
    wanted = sorted(weighed, key=lambda one: -one[1])
    tags = [tag for tag, weight in wanted if tag in LANGUAGES and weight > 0]
    return read_language(tags[0] if tags else LANGUAGES[0])


def _weigh(text: str) -> tuple[str, float]:
    """Return the primary tag of a language range, and its weight."""
    tag, _, parameter = text.strip().partition(";")
    try:
        weight = float(parameter.strip().removeprefix("q=") or 1)
    except ValueError:
        weight = 0
    return tag.strip().partition("-")[0], weight


@cache
def read_language(tag: str) -> Language:
    """Return one of `LANGUAGES`."""
    return Language(tag, tomllib.loads((_FOLDER / f"{tag}.toml").read_text(encoding="utf-8")))
