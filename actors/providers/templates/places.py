"""URL templates (after RFC 6570): the placeholders of a URL, and what may stand at their places.

A value never decides more than its place: one label of a host before a fixed suffix, one segment
of a path, or one value of a query. A list of values is the operator's own, and may be more of a
host. Where a token answer names a whole host, the address guard has the last word at each request.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import StrEnum
from typing import Any, Final, NamedTuple
from urllib.parse import quote

PLACEHOLDER: Final = re.compile(r"\{([a-z][A-Za-z0-9_.:-]*)\}")
#: What names a member of the token answer.
MEMBER_PREFIX: Final = "token."
_HOST: Final = re.compile(r"(https?://)?([^/?#]*)")
#: A label of a host name (RFC 1123 section 2.1): none of it can end the label.
_LABEL: Final = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_LABELS: Final = re.compile(rf"{_LABEL}(\.{_LABEL})*")
#: A segment of a path that is no dot segment (RFC 3986 section 3.3).
_SEGMENT: Final = re.compile(r"[A-Za-z0-9_~-]+(\.[A-Za-z0-9_~-]+)*")
_BASE: Final = re.compile(r"https?://[A-Za-z0-9.:\[\]-]{1,255}(/[A-Za-z0-9_~./-]{0,255})?")
MAX_VALUE_LENGTH: Final = 128


class Place(StrEnum):
    """Where a placeholder stands in a URL."""

    #: All that comes before the path, the scheme included.
    ORIGIN = "origin"
    #: A whole host, or its end.
    HOST = "host"
    #: Within one label of a host whose last two labels are fixed.
    LABEL = "label"
    PATH = "path"
    QUERY = "query"
    #: A port, or within an address: nothing may fill that in.
    FORBIDDEN = "forbidden"


class Placed(NamedTuple):
    """A placeholder of a URL, by its name and place."""

    name: str
    place: Place


def list_placeholders(url: str) -> list[Placed]:
    """Return the placeholders of a URL in their order."""
    return [
        Placed(found[1], _find_place(url, found.start(), found.end()))
        for found in PLACEHOLDER.finditer(url)
    ]


def fill(url: str, look_up: Callable[[str, Place], str | None]) -> str:
    """Return a URL with what `look_up` returns for each placeholder; None leaves it as it is."""

    def write(found: re.Match[str]) -> str:
        value = look_up(found[1], _find_place(url, found.start(), found.end()))
        return found[0] if value is None else value

    return PLACEHOLDER.sub(write, url) if "{" in url else url


def _find_place(url: str, start: int, end: int) -> Place:
    host = _HOST.match(url)
    if host is None or start >= host.end():
        return Place.QUERY if "?" in url[:start] else Place.PATH
    if (start, end) == host.span():
        return Place.ORIGIN
    if not host[1] or "@" in host[2] or ":" in url[host.start(2) : start]:
        return Place.FORBIDDEN
    # The rest of its own label, and what follows. The domain is the provider's.
    _, dot, suffix = url[end : host.end()].partition(".")
    fixed = suffix.partition(":")[0].split(".")[-2:]
    is_label = dot and len(fixed) == 2 and all(fixed) and not any("{" in it for it in fixed)
    return Place.LABEL if is_label else Place.HOST


def fits_place(value: str, place: Place, *, is_listed: bool = False) -> bool:
    """Return whether a value may stand at a place.

    One of an operator's list (`is_listed`) may be several labels of a host, and the end of it.
    """
    if not 1 <= len(value) <= MAX_VALUE_LENGTH:
        return False
    match place:
        case Place.LABEL if not is_listed:
            return re.fullmatch(_LABEL, value) is not None
        case Place.LABEL | Place.HOST:
            return is_listed and _LABELS.fullmatch(value) is not None
        case Place.PATH | Place.QUERY:
            return _SEGMENT.fullmatch(value) is not None
    return False


def write_member(value: Any, place: Place) -> str | None:
    """Return a member of a token answer as it stands at a place; None for one that may not.

    As a whole host it is what the provider's own token endpoint says; the address guard checks it.
    """
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    text = str(value)
    match place:
        case Place.ORIGIN:
            return text.rstrip("/") if _BASE.fullmatch(text) and "/." not in text else None
        case Place.HOST:
            return text.lower() if _LABELS.fullmatch(text.lower()) else None
        case Place.LABEL:
            return text.lower() if fits_place(text.lower(), place) else None
        case Place.PATH | Place.QUERY:
            return None if text in ("", ".", "..") else quote(text, safe="")
    return None
