"""Words of error answers: those of the operator, and the well-known ones of failures.toml."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from actors.providers.http.answers import clean_sentence
from actors.providers.protocol.provider import Provider

_FILE: Final = Path(__file__).parents[1] / "failures.toml"
#: A longer answer is no sentence about an error.
_MAX_TEXTS: Final = 64
_MAX_TEXT_LENGTH: Final = 2048
#: Members whose numbers are codes.
_CODE_MEMBER: Final = re.compile("code|err|status", re.IGNORECASE)
#: Members that say what is wrong.
_DESCRIBING_MEMBER: Final = re.compile(
    "code|detail|description|err|message|msg|reason|status|title|type", re.IGNORECASE
)
_SEPARATORS: Final = re.compile(r"[\s_-]+")
#: A word with digits among its letters, which an identifier or a token may be.
_LIKE_A_SECRET: Final = re.compile(
    r"(?<![\w+=~./-])(?!AADSTS\d+\b)(?=[\w+=~./-]*\d)(?=[\w+=~./-]*[A-Za-z])[\w+=~./-]{12,}"
)
#: Microsoft's error numbers, as some answers have them in the description only.
_AADSTS: Final = re.compile(r"AADSTS([0-9]{2,8})\b")

_CAMEL_CASE: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")

_Words = Mapping[str, str]


@cache
def _well_known() -> Mapping[str, Any]:
    return tomllib.loads(_FILE.read_text(encoding="utf-8"))


def usual_words() -> _Words:
    """Return the kinds of the words that mean the same with every provider that uses them."""
    words: _Words = _well_known()["any"]
    return words


@cache
def _token_words(name: str) -> re.Pattern[str]:
    words = map(re.escape, _well_known()["token"][name])
    return re.compile(rf"(?<![^\W_])(?:{'|'.join(words)})(?![^\W_])")


def words_of_host(provider: Provider) -> _Words:
    """Return the kinds of the words that a token endpoint's host is known for."""
    host = f".{urlsplit(provider.token_endpoint).hostname}"
    names = (name for name in _well_known() if host.endswith(f".{name}"))
    return next((_well_known()[name] for name in names), {})


class ErrorAnswer:
    """An answer without tokens, with its error code ("" for none) and its status."""

    def __init__(self, answer: Mapping[str, Any], error: str, status: int) -> None:
        #: The word for the answer's status, the least specific sign of all.
        self.status_word = f"status {status}"
        self._members = list(islice(_leaves(answer), _MAX_TEXTS))
        self._error = error
        texts = [text for _, text in self._members]
        self._raw = [text.casefold() for text in texts]
        self._texts = [_normal(text) for text in texts]
        codes = [text for name, text in self._members if _CODE_MEMBER.search(name)]
        numbers = filter(str.isdecimal, codes)
        self._numbers = [*numbers, *(found for text in texts for found in _AADSTS.findall(text))]

    def find(self, words: Iterable[str]) -> str | None:
        """Return the most specific of some words that the answer holds.

        Microsoft's numbers come first, then sentences, the error code, and single words.
        """
        known = set(words)
        sentences = sorted((word for word in known if " " in word), key=len, reverse=True)
        single = sorted((word for word in known if " " not in word), key=len, reverse=True)
        found = (
            *((self._error,) if self._error.isdecimal() and self._error in known else ()),
            *(number for number in self._numbers if number in known),
            *(word for word in sentences if self._holds(word)),
            *((self._error,) if self._error in known else ()),
            *(word for word in single if self._holds(word)),
        )
        return next(iter(found), None)

    def tells_dead_token(self, named: str = "refresh token") -> bool:
        """Return whether a text says that such a token is no more, in whatever sentence."""
        texts = (_normal(_CAMEL_CASE.sub(" ", text)) for _, text in self._members)
        return any(
            named in text
            and _token_words("dead").search(text)
            and not _token_words("otherwise").search(text)
            for text in texts
        )

    def find_code(self, codes: Iterable[str]) -> str | None:
        """Return the error code that stands elsewhere than in its member, or within a sentence."""
        for code in codes:
            pattern = re.compile(rf"(?<![a-z0-9_]){re.escape(code)}(?![a-z0-9_])")
            if any(pattern.search(text) for text in self._raw):
                return code
        return None

    def _holds(self, word: str) -> bool:
        if word.isdecimal():
            return word in self._numbers
        pattern = re.compile(rf"(?<![^\W_]){re.escape(_normal(word))}(?![^\W_])")
        return any(pattern.search(text) for text in self._texts)

    def describe(self, provider: Provider, *, is_brief: bool = False) -> str | None:
        """Return what the answer says of the error, as it may be shown, or each first line."""
        told = [it for it in self._members if _DESCRIBING_MEMBER.search(it[0])]
        if is_brief:
            told = [(name, text.strip().splitlines()[0]) for name, text in told if text.strip()]
        described = [f"{name}: {text}" for name, text in told]
        described = [_LIKE_A_SECRET.sub("…", text) for text in described]
        secrets = [provider.client_secret, *provider.earlier_client_secrets]
        return clean_sentence("; ".join(described), [one for one in secrets if one is not None])


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Yield the texts and numbers of data, with the members that hold them."""
    match value:
        case str():
            yield name, value[:_MAX_TEXT_LENGTH]
        case int() if not isinstance(value, bool):
            yield name, str(value)
        case Mapping():
            for inner, item in value.items():
                yield from _leaves(item, inner)
        case list():
            for item in value:
                yield from _leaves(item, name)


def _normal(text: str) -> str:
    return _SEPARATORS.sub(" ", text.casefold()).strip()
