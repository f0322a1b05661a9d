"""Brute-force throttle: wrong API keys are counted by address, and too many are refused unread.

Only guesses at ADMIN_API_KEY are refused unread, since an operator may have chosen a weak one. Keys
of `POST /v1/keys` cannot be guessed, so an app's own key works whatever its neighbours behind the
same address do.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from typing import Final

from worker.http.auth.rate_limits import RateLimiter
from worker.http.errors.refusals import TooManyWrongKeys

#: More than a wrong configuration causes before an operator looks at it.
MAX_PER_MINUTE: Final = 20
#: An attacker may have many addresses, and we have so much memory for them.
_MAX_ADDRESSES: Final = 10_000
_log: Final = logging.getLogger(__name__)


class WrongKeyThrottle:
    """Counts wrong keys in Redis, and remembers here which addresses have sent too many."""

    def __init__(
        self,
        rate_limiter: RateLimiter,
        clock: Callable[[], float] = time.monotonic,
        max_per_minute: int = MAX_PER_MINUTE,
        max_addresses: int = _MAX_ADDRESSES,
    ) -> None:
        self._rate_limiter = rate_limiter
        self._clock = clock
        self._max_per_minute = max_per_minute
        self._max_addresses = max_addresses
        #: By address, the time until which its guesses are refused unread. Each process learns it
        #: from the first wrong key that reaches the process itself.
        self._refused_until: dict[str, float] = {}

    def __len__(self) -> int:
        """Return how many addresses are remembered."""
        return len(self._refused_until)

    def is_refused(self, address: str) -> bool:
        """Return whether guesses from an address are refused unread now."""
        return self._get_seconds_left(address) > 0

    async def count(self, address: str) -> None:
        """Count a wrong key, unless it was refused unread.

        Raises:
            TooManyWrongKeys: The address has sent too many; `Retry-After` says when to come back.
        """
        wait = self._get_seconds_left(address)
        if wait <= 0:
            name = f"wrong-keys:{address}"
            wait = await self._rate_limiter.take(name, self._max_per_minute)
            self._remember(address, wait)
        if wait > 0:
            raise TooManyWrongKeys(headers={"Retry-After": str(math.ceil(wait))})

    def _remember(self, address: str, wait: int) -> None:
        if not wait:
            return
        _log.warning("Too many wrong API keys came from %s.", address)
        if len(self._refused_until) >= self._max_addresses:
            self._refused_until.clear()
        self._refused_until[address] = self._clock() + wait

    def _get_seconds_left(self, address: str) -> float:
        return self._refused_until.get(address, 0) - self._clock()
