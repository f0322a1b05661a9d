"""Untrusted answers: JSON with bounds on depth and characters, error codes, single lines."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from catfeeder.sealing import Secret

#: Databases refuse NUL and half a surrogate pair. The others can forge lines of a log or hide text
#: on a screen. Tab and line breaks stay, since a profile may have several lines.
_CONTROL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_LINE_BREAK: Final = re.compile("[\t\n\r\u2028\u2029]+")
#: What could be taken for markup, end a quotation, or turn the direction of a line.
_MARKUP: Final = re.compile(r"""[<>"\\`\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]""")
#: What is as long as this, without a space, a dot or a slash, may be a token.
_LIKE_A_TOKEN: Final = re.compile("[A-Za-z0-9_+=~-]{40,}")
_MAX_SENTENCE: Final = 300
#: Media types of data, and those that servers send by default for text; never HTML.
_DATA_TYPE: Final = re.compile(
    r"(application|text)/(json|(x-)?javascript|plain|x-www-form-urlencoded|[\w.-]{1,64}\+json)",
    re.ASCII | re.IGNORECASE,
)
#: Error codes of answers that are a success.
_NO_ERROR: Final = frozenset({"0", "none", "no_error", "ok", "success"})
#: Deeper data is an attack on parsers.
_MAX_DEPTH: Final = 32


def is_data(content_type: str | None) -> bool:
    """Return whether an answer of this Content-Type, or of none, is data.

    A page that happens to parse as data may hold text of a third party.
    """
    media_type = (content_type or "").partition(";")[0].strip()
    return not media_type or _DATA_TYPE.fullmatch(media_type) is not None


def parse_json(body: bytes) -> Any:
    """Return JSON data that every database and every JSON parser accepts.

    Raises:
        ValueError: It is not JSON (RFC 8259) in UTF-8, nested too deep, or holds a number that
            JSON has no way to write.
    """
    try:
        data = _decoder.decode(body.decode("utf-8-sig"))
    except RecursionError:
        raise ValueError("nested too deep") from None
    return _sanitize(data, _MAX_DEPTH)


def _parse_finite_number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("not a number of JSON")
    return number


#: As `json.loads` makes one for each call with such options.
_decoder: Final = json.JSONDecoder(
    parse_constant=_parse_finite_number, parse_float=_parse_finite_number
)


def _sanitize(value: Any, depth: int) -> Any:
    if depth == 0:
        raise ValueError("nested too deep")
    match value:
        case str():
            return _CONTROL.sub("\ufffd", value)
        case list():
            return [_sanitize(item, depth - 1) for item in value]
        case dict():
            return {
                _CONTROL.sub("\ufffd", name): _sanitize(item, depth - 1)
                for name, item in value.items()
            }
    return value


def error_of(answer: Mapping[str, Any]) -> str | None:
    """Return the error code, "" for an error without one, None for success.

    Facebook wraps it in an object; Slack marks an error by `ok: false`; TikTok says that there is
    none by `{"code": "ok"}`.
    """
    error = answer.get("error")
    if isinstance(error, Mapping):
        error = _read_code(error)
    is_success = not error or str(error).casefold() in _NO_ERROR
    if is_success and answer.get("ok") is not False:
        return None
    if isinstance(error, int) and not isinstance(error, bool):
        error = str(error)
    return error if isinstance(error, str) else ""


def _read_code(error: Mapping[str, Any]) -> Any:
    """Return the code in an error object: True if it has none, None if nothing in it is set."""
    if not any(error.values()):
        return None
    return error.get("code") or error.get("type") or error.get("code") != 0


def one_line(value: Any) -> str | None:
    """Return text on one line and stripped; None for an empty text and for any other type."""
    if not isinstance(value, str):
        return None
    return _CONTROL.sub("\ufffd", _LINE_BREAK.sub(" ", value)).strip() or None


def clean_sentence(value: Any, secrets: Iterable[Secret] = ()) -> str | None:
    """Return a sentence of a third party as it may be shown, logged and passed on.

    It is on one line, of 300 characters at most, and without markup, the given secrets, and
    whatever is as long as a token. None for what is no text, or empty.
    """
    text = one_line(value)
    if text is None:
        return None
    for secret in secrets:
        text = text.replace(secret.reveal(), "…")
    text = _MARKUP.sub("", _LIKE_A_TOKEN.sub("…", text)).strip()
    return (text if len(text) <= _MAX_SENTENCE else f"{text[: _MAX_SENTENCE - 1]}…") or None


def is_visible_ascii(text: str) -> bool:
    """Return whether text is what RFC 6749 appendix A allows for codes, tokens and secrets."""
    return re.fullmatch("[ -~]+", text) is not None
