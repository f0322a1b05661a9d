"""Lifetimes of tokens in token responses (RFC 6749 section 5.1), in each spelling in use."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any, Final

#: A greater number of seconds is a point in time, or nonsense.
_MAX_LIFETIME_SECONDS: Final = 10 * 365 * 86400
_NUMBER: Final = re.compile(r"[0-9]{1,19}(\.[0-9]{1,9})?")
_MICROSECONDS_PER_UNIT: Final = (1_000_000, 1000, 1)
_ZONE: Final = re.compile(r" (UTC|GMT)$")

#: Names of the access token's end, without capitals and separators; the first usable one counts.
#: `expiresin` is the standard's, `expireson` Microsoft's, `expirydate` of Google's libraries,
#: `.expires` of ASP.NET, and `accesstokenexpiresat` of libraries for Node.
_ACCESS_TOKEN_ENDS: Final = (
    *("expiresin", "expires", "expiresat", "expireson", "expirein", "expireat", "expiry"),
    *("expirydate", "expirytime", "expiretime", "expirestime", "expiration", "expirationdate"),
    *("expirationtime", "expiresdate", "expirestimestamp", "validuntil"),
    *("accesstokenexpiresin", "accesstokenexpiresat", "accesstokenexpireson"),
    *("accesstokenexpirein", "accesstokenexpires", "accesstokenexpiry"),
    *("accesstokenexpirytime", "accesstokenexpiration", "accesstokenexpirationdate"),
    *("accesstokenexpirationtime", "accesstokenlifetime", "accesstokenvaliduntil"),
    *("tokenexpiresin", "tokenexpiresat", "tokenexpires", "tokenexpiry", "tokenexpiration"),
)
#: The same of the refresh token: the first is GitHub's and LinkedIn's, the second Keycloak's, the
#: third Intuit's; the standard has none.
_REFRESH_TOKEN_ENDS: Final = (
    *("refreshtokenexpiresin", "refreshexpiresin", "xrefreshtokenexpiresin"),
    *("refreshtokenexpiresat", "refreshtokenexpireson", "refreshtokenexpires"),
    *("refreshtokenexpirein", "refreshtokenexpireat", "refreshtokenexpiry"),
    *("refreshtokenexpirytime", "refreshtokenexpiration", "refreshtokenexpirationdate"),
    *("refreshtokenexpirationtime", "refreshtokenlifetime", "refreshtokenvaliduntil"),
    *("refreshexpiresat", "refreshexpireson", "refreshexpires", "refreshexpiration"),
)


def read_lifetime(answer: Mapping[str, Any], asked_at: datetime) -> int | None:
    """Return the access token's lifetime in seconds, counted from when it was asked for.

    None where the answer states none, or one that cannot be meant.
    """
    return _read_first(answer, _ACCESS_TOKEN_ENDS, asked_at)


def read_refresh_token_lifetime(answer: Mapping[str, Any], asked_at: datetime) -> int | None:
    """Return the refresh token's lifetime in seconds; Keycloak writes 0 for an unknown one."""
    return _read_first(answer, _REFRESH_TOKEN_ENDS, asked_at)


def _read_first(
    answer: Mapping[str, Any], names: tuple[str, ...], asked_at: datetime
) -> int | None:
    stated = {_normalize(name): value for name, value in answer.items()}
    lifetimes = (_to_lifetime(stated[name], asked_at) for name in names if name in stated)
    return next((seconds for seconds in lifetimes if seconds is not None), None)


@lru_cache(maxsize=256)
def _normalize(name: str) -> str:
    """Return a member's name without capitals and separators."""
    return re.sub("[^a-z]", "", name.lower())


def _to_lifetime(value: Any, asked_at: datetime) -> int | None:
    """Return a stated lifetime or end as a lifetime in whole seconds."""
    number = _to_number(value)
    if 0 < number <= _MAX_LIFETIME_SECONDS:
        return int(number) or None  # Half a second is none.
    end = _to_time(number) if number else _parse_time(value)
    if end is None:
        return None
    seconds = (end - asked_at).total_seconds()
    return int(seconds) if 1 <= seconds <= _MAX_LIFETIME_SECONDS else None


def _to_number(value: Any) -> float:
    """Return a number, which may be a string; 0 for anything else."""
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return float(value)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number else 0


def _to_time(number: float) -> datetime | None:
    """Return a point in time of Unix seconds, milliseconds or microseconds."""
    unit = next((unit for unit in _MICROSECONDS_PER_UNIT if 1e14 < number * unit < 1e16), None)
    if unit is None:
        return None
    return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=int(number * unit))


def _parse_time(value: Any) -> datetime | None:
    """Return a point in time of ISO 8601 or RFC 9110; one without a zone is in UTC."""
    if not isinstance(value, str) or not value.isascii():
        return None
    for parse, text in ((datetime.fromisoformat, _ZONE.sub("Z", value)), (_parse_date, value)):
        try:
            at = parse(text)
        except (ValueError, OverflowError):
            continue
        return at if at.tzinfo else at.replace(tzinfo=UTC)
    return None


def _parse_date(text: str) -> datetime:
    return parsedate_to_datetime(text)
