"""Values of records: texts, tokens, scopes and times, as other systems write them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final, Never

from actors.cursors import is_id
from actors.moving.errors import ImportInvalid
from catfeeder.sealing import Secret

#: A number from here on counts milliseconds: in seconds it would be the year 5138.
_MILLISECONDS_FROM: Final = 100_000_000_000
_NUMBER: Final = re.compile(r"[0-9]{1,15}(\.[0-9]+)?")
_MAX_TEXT: Final = 255
_MAX_SCOPE: Final = 8192
#: As the token of a request may be long.
_MAX_TOKEN: Final = 32_768
_MAX_JSON_BYTES: Final = 65_536


def parse_json(text: str | bytes) -> Any:
    """Return what JSON says (RFC 8259), which knows no NaN and no Infinity.

    Raises:
        ValueError, RecursionError: It is no JSON.
    """
    return json.loads(text, parse_constant=_refuse_constant)


def _refuse_constant(_name: str) -> Never:
    raise ValueError("no number of JSON")


def value_at(value: Any, path: str) -> Any:
    """Return what stands at a path; a name may hold dots itself, as columns of CSV do."""
    if not path:
        return value
    if isinstance(value, str):
        try:
            value = parse_json(value)
        except (ValueError, RecursionError):
            return None
    if not isinstance(value, dict):
        return None
    if path in value:
        return value[path]
    name, _, rest = path.partition(".")
    return value_at(value.get(name), rest) if rest else None


def read_text(name: str, value: Any, limit: int = _MAX_TEXT) -> str | None:
    """Return a text, or a number as one; an empty one is None."""
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ImportInvalid(f"Its {name} is neither a text nor a number.")
    text = str(value)
    if len(text) > limit or not text.isprintable():
        raise ImportInvalid(f"Its {name} is longer than {limit} characters, or not printable.")
    return text


def read_id(value: Any) -> str | None:
    """Return the id of an exported connection; that of another system is none."""
    return value if isinstance(value, str) and is_id(value) else None


def read_token(name: str, value: Any) -> Secret | None:
    """Return a token; an empty one is None."""
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise ImportInvalid(f"Its {name} is no text.")
    if len(value) > _MAX_TOKEN:
        raise ImportInvalid(f"Its {name} is longer than {_MAX_TOKEN} characters.")
    return Secret(value)


def read_scope(value: Any) -> str | None:
    """Return scopes of a text, or of a list, which may be the text of a column."""
    if isinstance(value, str) and value.startswith("["):
        with suppress(ValueError, RecursionError):
            value = parse_json(value)
    if isinstance(value, list) and all(isinstance(scope, str) for scope in value):
        value = " ".join(value)
    if value is not None and not isinstance(value, str):
        raise ImportInvalid("Its scope is neither a text nor a list of texts.")
    return read_text("scope", value and " ".join(value.split()), _MAX_SCOPE)


def parse_object(value: Any) -> dict[str, Any]:
    """Return an object, or that of a text; what is none is an empty one."""
    if isinstance(value, str):
        with suppress(ValueError, RecursionError):
            value = parse_json(value)
    return value if isinstance(value, dict) else {}


def read_object(name: str, value: Any) -> dict[str, Any]:
    """Return an object that can be stored, or that of a text; what is none is an empty one."""
    if not (value := parse_object(value)):
        return {}
    try:
        size = len(json.dumps(value, ensure_ascii=False).encode())
    except ValueError:
        raise ImportInvalid(f"Its {name} has a text that is no Unicode.") from None
    if size > _MAX_JSON_BYTES:
        raise ImportInvalid(f"Its {name} is larger than {_MAX_JSON_BYTES} bytes.")
    return dict(value)


def read_texts(name: str, members: Mapping[str, Any]) -> dict[str, str]:
    """Return members that are all texts; an empty one stays, one of None is left out.

    A number is its text.
    """
    found = {key: value for key, value in members.items() if value is not None}
    if any(isinstance(it, bool) or not isinstance(it, str | int) for it in found.values()):
        raise ImportInvalid(f"A member of its {name} is neither a text nor a number.")
    return {key: str(value) for key, value in found.items()}


def read_time(name: str, value: Any) -> datetime | None:
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
        # In UTC the first and the last hours of the calendar may be out of it.
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError, OSError):
        raise ImportInvalid(f"Its {name} is no time.") from None
