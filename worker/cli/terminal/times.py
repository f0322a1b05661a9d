"""Times in options: an age such as 2h, or a time of RFC 3339, of which the end may be left out."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

import typer

_AGE: Final = re.compile(r"(?P<count>\d{1,6})(?P<unit>[smhdw])", re.ASCII)
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def read_since(option: str, text: str | None, now: datetime) -> datetime | None:
    """Return the time that an option names; without an offset it is UTC, as what is printed.

    Raises:
        typer.BadParameter: It is neither a time nor an age, or lies before any time there is.
    """
    if text is None:
        return None
    try:
        if age := _AGE.fullmatch(text):
            return now - timedelta(**{_UNITS[age["unit"]]: int(age["count"])})
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise typer.BadParameter(
            f"{option} is an age such as 30m, 2h or 7d, or a time such as 2026-11-30 or "
            "2026-11-30T14:00:00Z."
        ) from None
