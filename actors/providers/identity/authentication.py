"""Authentication of a user by an id_token: when and how (OpenID Connect Core 3.1.3.7)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypedDict

from actors.errors import IdTokenInvalid

_LEEWAY_SECONDS: Final = 120
_MAX_ACR_LENGTH: Final = 255


class LoginTooOld(IdTokenInvalid):
    """Raised where `auth_time` does not prove a login within the sign-in's `max_age`."""

    message = "By the id_token's auth_time the user logged in before max_age."


class UnmetAuthenticationRequirements(IdTokenInvalid):
    """Raised for an `acr` that is none of those asked for; OpenID gave the error its name."""

    message = "The id_token's acr is none of the acr_values that the sign-in asked for."


@dataclass(frozen=True, slots=True)
class AcrDemand:
    """The authentication context classes that a sign-in asked for, the best first."""

    values: tuple[str, ...]
    is_essential: bool = False


@dataclass(frozen=True, slots=True)
class Demands:
    """What a sign-in demands of the login behind it; None for what it does not."""

    logged_in_since: datetime | None = None
    acr: AcrDemand | None = None


class Authentication(TypedDict, total=False):
    """When, in seconds since 1970, and how the user has logged in with the provider."""

    auth_time: int
    acr: str


def check_authentication(claims: Mapping[str, Any], demands: Demands, now: datetime) -> None:
    """Hold the claims of an id_token against what its sign-in demands.

    `acr_values` are a wish (section 5.5.1.1): an id_token may state no acr at all, unless it is
    essential. One that is stated has to be among them (section 3.1.3.7, point 12).

    Raises:
        LoginTooOld: `auth_time` is missing, or before `logged_in_since` (point 13).
        UnmetAuthenticationRequirements: `acr` is another, or is essential and missing.
        IdTokenInvalid: `auth_time` is no time.
    """
    if demands.logged_in_since is not None:
        _check_login(claims, demands.logged_in_since.timestamp(), now.timestamp())
    if demands.acr is not None:
        _check_acr(claims.get("acr"), demands.acr)


def _check_login(claims: Mapping[str, Any], since: float, now: float) -> None:
    auth_time = claims.get("auth_time")
    if auth_time is None:
        raise LoginTooOld("The id_token has no auth_time, which the sign-in's max_age demands.")
    if isinstance(auth_time, bool) or not isinstance(auth_time, int | float):
        raise IdTokenInvalid("The id_token's auth_time is not a time.")
    if not int(since) - _LEEWAY_SECONDS <= auth_time <= int(now) + _LEEWAY_SECONDS:
        raise LoginTooOld


def _check_acr(acr: Any, demand: AcrDemand) -> None:
    if acr is None and not demand.is_essential:
        return
    if acr is None:
        raise UnmetAuthenticationRequirements(
            "The id_token has no acr, and one of acr_values was essential to the sign-in."
        )
    if acr not in demand.values:
        raise UnmetAuthenticationRequirements


def read_authentication(claims: Mapping[str, Any]) -> Authentication:
    """Return when and how the user has logged in, as far as valid claims state it."""
    found: Authentication = {}
    if (at := _read_time(claims.get("auth_time"))) is not None:
        found["auth_time"] = at
    acr = claims.get("acr")
    if isinstance(acr, str) and acr.isprintable() and 0 < len(acr) <= _MAX_ACR_LENGTH:
        found["acr"] = acr
    return found


def _read_time(value: Any) -> int | None:
    """Return a number of seconds that is a time; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return int(value)
