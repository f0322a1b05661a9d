"""Brute-force throttle: wrong API keys are counted by address and in all, and slowed down.

A right key always passes, whatever its neighbours behind the same address do: none can be guessed,
ADMIN_API_KEY included, as the start refuses weak ones. So guesses must cost little, no more.
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
#: Of all addresses together. Beyond it wrong keys are counted no more and looked up no more.
MAX_PER_MINUTE_IN_ALL: Final = 600
_ALL: Final = "all"
_log: Final = logging.getLogger(__name__)


class WrongKeyThrottle:
    """Counts wrong keys in Redis, and remembers here which addresses have sent too many."""

    def __init__(
        self,
        rate_limiter: RateLimiter,
        clock: Callable[[], float] = time.monotonic,
        max_per_minute: int = MAX_PER_MINUTE,
        max_addresses: int = _MAX_ADDRESSES,
        max_per_minute_in_all: int = MAX_PER_MINUTE_IN_ALL,
    ) -> None:
        self._rate_limiter = rate_limiter
        self._clock = clock
        self._max_per_minute = max_per_minute
        self._max_addresses = max_addresses
        self._max_per_minute_in_all = max_per_minute_in_all
        #: By address, the time until which its wrong keys are not counted. Each process learns it
        #: from the first wrong key that reaches the process itself.
        self._refused_until: dict[str, float] = {}

    def __len__(self) -> int:
        """Return how many addresses are remembered."""
        return len(self._refused_until)

    def is_refused(self, address: str) -> bool:
        """Return whether wrong keys from an address are answered with 429 now."""
        return self._get_seconds_left(address) > 0

    @property
    def is_flooded(self) -> bool:
        """Whether too many wrong keys come from all addresses together."""
        return self.is_refused(_ALL)

    async def count(self, address: str) -> None:
        """Count a wrong key, unless there are too many already.

        Raises:
            TooManyWrongKeys: The address, or all together, have sent too many; `Retry-After` says
                when to come back.
        """
        wait = max(self._get_seconds_left(address), self._get_seconds_left(_ALL))
        if wait <= 0:
            wait = await self._take(address, self._max_per_minute)
        if wait <= 0:
            wait = await self._take(_ALL, self._max_per_minute_in_all)
        if wait > 0:
            raise TooManyWrongKeys(headers={"Retry-After": str(math.ceil(wait))})

    async def _take(self, address: str, per_minute: int) -> int:
        wait = await self._rate_limiter.take(f"wrong-keys:{address}", per_minute)
        if wait:
            self._remember(address, wait)
        return wait

    def _remember(self, address: str, wait: int) -> None:
        source = "all addresses together" if address == _ALL else address
        _log.warning("Too many wrong API keys came from %s.", source)
        if len(self._refused_until) >= self._max_addresses:
            self._refused_until.clear()
        self._refused_until[address] = self._clock() + wait

    def _get_seconds_left(self, address: str) -> float:
        return self._refused_until.get(address, 0) - self._clock()
