"""Wrong API keys, counted by the address that they come from: guessing gets slow and then refused.

Only what could be ADMIN_API_KEY is refused unseen, since people may have chosen it. The keys that
we make cannot be guessed, so an app's own key works whatever its neighbours behind the same address
do.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from typing import Final

from worker.http.auth.rate_limits import RateLimiter
from worker.http.errors.refusals import TooManyWrongKeys

#: More than a mistake in a configuration makes before somebody looks.
MAX_PER_MINUTE: Final = 20
#: An attacker may have many addresses, and we have so much memory for them.
_MAX_REMEMBERED: Final = 10_000
_log: Final = logging.getLogger(__name__)


class WrongKeyThrottle:
    """Knows which addresses have guessed too often."""

    def __init__(
        self, rate_limiter: RateLimiter, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Take what counts for all processes, and the clock."""
        self._rate_limiter = rate_limiter
        self._clock = clock
        #: By address, the time until which its guesses are refused unseen. Each process learns it
        #: from the first wrong key that it is sent itself.
        self._refused_until: dict[str, float] = {}

    def is_refused(self, address: str) -> bool:
        """Tell whether guesses from an address are not even looked at now."""
        return self._seconds_left(address) > 0

    async def count(self, address: str) -> None:
        """Count a wrong key, unless it was not looked at.

        Raises:
            TooManyWrongKeys: There were too many.
        """
        wait = self._seconds_left(address)
        if wait <= 0:
            wait = await self._rate_limiter.take(f"wrong-keys:{address}", MAX_PER_MINUTE)
            self._remember(address, wait)
        if wait > 0:
            raise TooManyWrongKeys(headers={"Retry-After": str(math.ceil(wait))})

    def _remember(self, address: str, wait: int) -> None:
        if not wait:
            return
        _log.warning("Too many wrong API keys came from %s.", address)
        if len(self._refused_until) >= _MAX_REMEMBERED:
            self._refused_until.clear()
        self._refused_until[address] = self._clock() + wait

    def _seconds_left(self, address: str) -> float:
        return self._refused_until.get(address, 0) - self._clock()
