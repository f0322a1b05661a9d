"""Back-off: exponentially growing waits with jitter."""

from __future__ import annotations

import random
from datetime import datetime, timedelta


def plan_retry(
    failures: int,
    first_seconds: int,
    cap_seconds: int,
    now: datetime,
    *,
    minimum_share: float = 0.5,
) -> datetime:
    """Return when to try again after `failures` in a row: doubled each time, with jitter.

    Of the longest wait at least `minimum_share` is waited. Half of it where somebody counts on it;
    0, which is called full jitter, where many fail together and should come back apart.
    """
    seconds = min(first_seconds * 2 ** min(failures, 32), cap_seconds)
    return now + timedelta(seconds=random.uniform(seconds * minimum_share, seconds))  # noqa: S311
