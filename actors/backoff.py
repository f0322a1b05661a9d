"""Back-off: waits between tries grow exponentially, with jitter."""

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
    """Return the time of the next try after `failures` earlier ones in a row.

    The wait doubles from `first_seconds` to `cap_seconds`, and is random between `minimum_share` of
    that and the whole. A share of a half suits a caller that counts on the try; 0 (full jitter)
    suits many that failed together and should return apart.
    """
    seconds = min(first_seconds * 2 ** min(failures, 32), cap_seconds)
    return now + timedelta(seconds=random.uniform(seconds * minimum_share, seconds))  # noqa: S311
