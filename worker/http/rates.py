"""How often something may happen, counted in Redis and so for all web processes together."""

from __future__ import annotations

import asyncio
from typing import Final

from redis.asyncio import Redis
from redis.exceptions import RedisError

_KEY_PREFIX: Final = "catfeeder:rate:"
#: Redis answers within a millisecond. A request does not wait for one that hangs.
_PATIENCE_SECONDS: Final = 0.5

# A bucket of as many tokens as a minute has, refilled evenly (the generic cell rate algorithm): one
# number is kept, the time at which the bucket is full again. Redis's own clock is everybody's.
_TAKE: Final = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local cost = 60 / ARGV[1]
local full_at = math.max(tonumber(redis.call('GET', KEYS[1]) or now), now) + cost
local wait = full_at - now - 60
if wait > 0.000001 then return math.ceil(wait) end
redis.call('SET', KEYS[1], string.format('%.6f', full_at), 'EX', 60)
return 0
"""


class Rates:
    """Counts by name."""

    def __init__(self, redis: Redis) -> None:
        """Take the connection to count on."""
        self._take = redis.register_script(_TAKE)

    async def take(self, name: str, per_minute: int) -> int:
        """Count one more, and return 0; or the seconds to wait where a minute has no more of it.

        While Redis is away nothing is refused: what needs no queue goes on to be answered.
        """
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                return int(await self._take(keys=[_KEY_PREFIX + name], args=[per_minute]))
        except (RedisError, OSError, TimeoutError):
            return 0
