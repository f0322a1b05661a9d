"""Plan of one token's renewal: a margin before its end, with jitter; pure arithmetic."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Final

_MIN_MARGIN: Final = timedelta(minutes=2)
_MAX_MARGIN: Final = timedelta(hours=24)
_MARGIN_SHARE: Final = 0.2
#: Of a token whose refresh token is single-use: fewer renewals, fewer risks.
_LATE_SHARE: Final = 0.05
#: A last renewal that prolongs the token by a smaller share of its life is left out.
_WORTHWHILE_SHARE: Final = 0.1
#: Connections made in the same minute are spread over this share of the margin.
_JITTER_SHARE: Final = 0.1


def plan_renewal(
    expires_at: datetime,
    account: str,
    now: datetime,
    *,
    usual_margin: timedelta | None = None,
    minimum_gap: timedelta = timedelta(),
    is_late: bool = False,
    last_chance: datetime | None = None,
) -> datetime:
    """Return when to renew a token that was granted `now`: early enough to fail a few times.

    The margin is `usual_margin`, or else a fifth of the lifetime (a twentieth if `is_late`), from 2
    minutes to 24 hours, and never more than half of the lifetime. `account` names the token's owner
    and decides the jitter.

    A `minimum_gap` between renewals is kept, even where the token ends first. The refresh token
    ends at `last_chance`, so an access token that lives longer is renewed once more before that.
    """
    renew_at = _renew_at(expires_at, account, now, usual_margin, is_late=is_late)
    if last_chance is not None and renew_at > last_chance:
        sooner = _renew_at(last_chance, account, now, usual_margin, is_late=is_late)
        if sooner - now > (expires_at - now) * _WORTHWHILE_SHARE:
            renew_at = sooner
    return max(renew_at, now + minimum_gap) if minimum_gap else renew_at


def _renew_at(
    expires_at: datetime,
    account: str,
    now: datetime,
    usual_margin: timedelta | None,
    *,
    is_late: bool,
) -> datetime:
    lifetime = max(expires_at - now, timedelta())
    share = _LATE_SHARE if is_late else _MARGIN_SHARE
    margin = min(max(lifetime * share, _MIN_MARGIN), _MAX_MARGIN)
    margin = min(margin if usual_margin is None else usual_margin, lifetime / 2)
    return expires_at - margin - margin * _JITTER_SHARE * compute_fraction(account)


def compute_fraction(account: str) -> float:
    """Return a number from 0 to 1 that is always the same for an account."""
    digest = hashlib.sha256(account.encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
