"""When a token is renewed, and how long to wait after a failure: pure arithmetic."""

from __future__ import annotations

import hashlib
import random
from datetime import datetime, timedelta
from typing import Final

_LEAST_MARGIN: Final = timedelta(minutes=2)
_MOST_MARGIN: Final = timedelta(hours=24)
_MARGIN_SHARE: Final = 0.2
#: Connections made in the same minute are spread over this share of the margin.
_JITTER_SHARE: Final = 0.1


def plan_renewal(
    expires_at: datetime | None,
    account: str,
    now: datetime,
    *,
    usual_margin: timedelta | None = None,
    minimum_gap: timedelta = timedelta(),
) -> datetime | None:
    """Return when to renew a token that was granted `now`: early enough to fail a few times.

    The margin is `usual_margin`, or else a fifth of the lifetime, 2 minutes at least and 24 hours
    at most; it is never more than half of the lifetime. `account` names whose token it is and
    decides the jitter. None means never: the token does not expire.

    A provider that wants a `minimum_gap` between renewals gets it, even where the token ends first.
    """
    if expires_at is None:
        return None
    lifetime = max(expires_at - now, timedelta())
    margin = min(max(lifetime * _MARGIN_SHARE, _LEAST_MARGIN), _MOST_MARGIN)
    margin = min(margin if usual_margin is None else usual_margin, lifetime / 2)
    renew_at = expires_at - margin - margin * _JITTER_SHARE * _fraction(account)
    return max(renew_at, now + minimum_gap) if minimum_gap else renew_at


def _fraction(account: str) -> float:
    """Return a number from 0 to 1 that is always the same for an account."""
    digest = hashlib.sha256(account.encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def plan_retry(failures: int, first_seconds: int, cap_seconds: int, now: datetime) -> datetime:
    """Return when to try again after `failures` in a row: doubled each time, with jitter."""
    seconds = min(first_seconds * 2 ** min(failures, 32), cap_seconds)
    return now + timedelta(seconds=random.uniform(seconds / 2, seconds))  # noqa: S311
