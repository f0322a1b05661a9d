"""Field map: where the members of a connection stand in another system's records."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from actors.cursors import is_id
from actors.moving.errors import ImportFileInvalid, ImportInvalid
from actors.moving.records import ImportRecord
from catfeeder.sealing import Secret

_OF_TOKENS: Final = (
    *("access_token", "refresh_token", "token_type", "scope"),
    *("expires_at", "refresh_token_expires_at"),
)
_PROFILE: Final = ("subject", "email", "email_verified", "name", "picture", "source", "raw")
_OTHERS: Final = ("provider", "subject", "metadata", "variables", "created_at")
#: A number from here on counts milliseconds: in seconds it would be the year 5138.
_MILLISECONDS_FROM: Final = 100_000_000_000
_NUMBER: Final = re.compile(r"[0-9]{1,15}(\.[0-9]+)?")
_MAX_TEXT: Final = 255


@dataclass(frozen=True, slots=True)
class FieldMap:
    """Where each member stands: `paths` has those that do not stand under their own name.

    A path is names parted by dots; it leads into JSON, also where that is the text of a column.
    """

    paths: Mapping[str, str] = field(default_factory=dict)
    #: The provider of records that name none.
    provider: str | None = None
    #: Our name of a provider, by the other system's.
    renamed: Mapping[str, str] = field(default_factory=dict)
    replace: bool = False

    def read(self, members: Mapping[str, Any]) -> ImportRecord:
        """Return what a record says.

        Raises:
            ImportInvalid: A member of it cannot be what it stands for; the sentence names it.
        """
        provider = _read_text("provider", self._find(members, "provider")) or self.provider
        if provider is None:
            raise ImportInvalid("It names no provider; --provider names one for the whole file.")
        tokens = [self._find(members, name) for name in ("access_token", "refresh_token")]
        if not any(tokens) and members.get("credentials") is not None:
            raise ImportInvalid("It is made from credentials: POST /v1/connections makes it anew.")
        found = {name: self._find(members, name) for name in (*_OF_TOKENS, "created_at")}
        times = ("expires_at", "refresh_token_expires_at", "created_at")
        return ImportRecord(
            id=_read_id(members.get("id")),
            provider=self.renamed.get(provider, provider),
            subject=_read_text("subject", self._find(members, "subject")),
            access_token=_read_token("access_token", found["access_token"]),
            refresh_token=_read_token("refresh_token", found["refresh_token"]),
            token_type=_read_text("token_type", found["token_type"]),
            scope=_read_scope(found["scope"]),
            **{name: _read_time(name, found[name]) for name in times},
            profile=self._read_profile(members),
            metadata=self._read_named("metadata", members),
            variables=self._read_variables(members),
            replace=self.replace,
        )

    def _find(self, members: Mapping[str, Any], name: str) -> Any:
        if (path := self.paths.get(name)) is not None:
            return _value_at(members, path.split("."))
        tokens = members.get("tokens")
        if name in _OF_TOKENS and isinstance(tokens, dict) and name in tokens:
            return tokens[name]
        return _value_at(members, name.split("."))

    def _read_profile(self, members: Mapping[str, Any]) -> dict[str, Any]:
        found = {name: self._find(members, f"profile.{name}") for name in _PROFILE}
        texts = {name: _read_text(name, found[name]) for name in ("subject", "email", "name")}
        raw = found["raw"] if isinstance(found["raw"], dict) else None
        is_verified = found["email_verified"]
        known = {"email_verified": is_verified if isinstance(is_verified, bool) else None}
        shown = {name: found[name] for name in ("picture", "source")}
        others = {name: it if isinstance(it, str) else None for name, it in shown.items()}
        return {**texts, **known, **others, "raw": raw}

    def _read_variables(self, members: Mapping[str, Any]) -> dict[str, str] | None:
        named = self._read_named("variables", members) or {}
        texts = {name: _read_text("variables", value) for name, value in named.items()}
        return {name: text for name, text in texts.items() if text is not None} or None

    def _read_named(self, parent: str, members: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return a member of members, each of which may stand elsewhere."""
        whole = self._find(members, parent)
        found = dict(whole) if isinstance(whole, dict) else {}
        for name in self.paths:
            beginning, _, member = name.partition(".")
            is_within = beginning == parent and member
            if is_within and (value := self._find(members, name)) is not None:
                found[member] = value
        return found or None


def parse_pairs(texts: Iterable[str], *, are_members: bool = False) -> dict[str, str]:
    """Return `name=value` texts as a mapping; with `are_members` a name is that of a member.

    Raises:
        ImportFileInvalid: A text is no such pair, or names no member of a connection.
    """
    pairs = dict(_parse_pair(text) for text in texts)
    known = {*_OF_TOKENS, *_OTHERS, *(f"profile.{name}" for name in _PROFILE)}
    for name in pairs if are_members else ():
        if name not in known and not name.startswith(("metadata.", "variables.")):
            raise ImportFileInvalid(
                f"A connection has no {name}; it has {', '.join(sorted(known))}."
            )
    return pairs


def _parse_pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise ImportFileInvalid(f"{text} is no pair such as refresh_token=token_secret.")
    return name, value


def _value_at(value: Any, path: list[str]) -> Any:
    """Return what stands at a path; a name may hold dots itself, as columns of CSV do."""
    if isinstance(value, str) and path:
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return None
    if not path:
        return value
    if not isinstance(value, dict):
        return None
    whole = ".".join(path)
    return value[whole] if whole in value else _value_at(value.get(path[0]), path[1:])


def _read_text(name: str, value: Any) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ImportInvalid(f"Its {name} is neither a text nor a number.")
    text = str(value)
    if len(text) > _MAX_TEXT or not text.isprintable():
        raise ImportInvalid(f"Its {name} is longer than {_MAX_TEXT} characters, or not printable.")
    return text


def _read_id(value: Any) -> str | None:
    """Return the id of an exported connection; that of another system is none."""
    return value if isinstance(value, str) and is_id(value) else None


def _read_token(name: str, value: Any) -> Secret | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise ImportInvalid(f"Its {name} is no text.")
    return Secret(value)


def _read_scope(value: Any) -> str | None:
    if isinstance(value, str) and value.startswith("["):
        with suppress(ValueError, RecursionError):
            value = json.loads(value)
    if isinstance(value, list) and all(isinstance(scope, str) for scope in value):
        return " ".join(value)
    if value is None or isinstance(value, str):
        return value
    raise ImportInvalid("Its scope is neither a text nor a list of texts.")


def _read_time(name: str, value: Any) -> datetime | None:
    """Return a time: ISO 8601, in UTC without a zone, or seconds or milliseconds since 1970."""
    if value in (None, "", 0, "0"):
        return None
    text = str(value).strip()
    try:
        if _NUMBER.fullmatch(text):
            number = float(text)
            seconds = number / 1000 if number >= _MILLISECONDS_FROM else number
            return datetime.fromtimestamp(seconds, UTC)
        found = datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        raise ImportInvalid(f"Its {name} is no time.") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
