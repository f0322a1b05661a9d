"""Reading what a provider wrote, as somebody who does not trust the writer."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any, Final

#: Half a surrogate pair and NUL are what databases refuse; the rest can forge lines of a log or
#: hide text on a screen. Tab and line breaks stay, since a profile may be written in lines.
_CONTROL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_LINE_BREAK: Final = re.compile("[\t\n\r\u2028\u2029]+")
#: What data is sent as, and what text is where nobody has thought of it: never a page.
_DATA_TYPE: Final = re.compile(
    r"(application|text)/(json|(x-)?javascript|plain|x-www-form-urlencoded|[\w.-]{1,64}\+json)",
    re.ASCII | re.IGNORECASE,
)
#: Deeper data is meant to exhaust whoever reads it.
_DEEPEST: Final = 32


def is_data(content_type: str | None) -> bool:
    """Tell whether an answer of this Content-Type, or of none, is meant to be read as data.

    A page that happens to parse as data may hold what somebody else wrote there.
    """
    media_type = (content_type or "").partition(";")[0].strip()
    return not media_type or _DATA_TYPE.fullmatch(media_type) is not None


def parse_json(body: bytes) -> Any:
    """Return JSON data that every database and every JSON parser takes again.

    Raises:
        ValueError: It is not JSON (RFC 8259) in UTF-8, nested too deep, or holds a number that
            JSON has no way to write.
    """
    try:
        data = json.loads(body.decode("utf-8-sig"), parse_constant=_number, parse_float=_number)
    except RecursionError:
        raise ValueError("nested too deep") from None
    return _clean(data, _DEEPEST)


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("not a number of JSON")
    return number


def _clean(value: Any, depth: int) -> Any:
    if depth == 0:
        raise ValueError("nested too deep")
    match value:
        case str():
            return _CONTROL.sub("\ufffd", value)
        case list():
            return [_clean(item, depth - 1) for item in value]
        case dict():
            return {
                _CONTROL.sub("\ufffd", name): _clean(item, depth - 1)
                for name, item in value.items()
            }
    return value


def error_of(answer: Mapping[str, Any]) -> str | None:
    """Return the error code, however it is wrapped: Facebook's in an object, Slack's by `ok`."""
    error = answer.get("error")
    if not error and answer.get("ok") is not False:
        return None
    if isinstance(error, Mapping):
        error = error.get("code") or error.get("type")
    if isinstance(error, int) and not isinstance(error, bool):
        error = str(error)
    return error if isinstance(error, str) else ""


def one_line(value: Any) -> str | None:
    """Return text without line breaks or blanks around it; None for anything else, and for none."""
    if not isinstance(value, str):
        return None
    return _CONTROL.sub("\ufffd", _LINE_BREAK.sub(" ", value)).strip() or None


def is_visible_ascii(text: str) -> bool:
    """Tell whether text is what RFC 6749 appendix A allows for codes, tokens and client secrets."""
    return re.fullmatch("[ -~]+", text) is not None
