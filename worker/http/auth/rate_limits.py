"""Rate limits by the generic cell rate algorithm (GCRA), counted in Redis for all web processes."""

from __future__ import annotations

import asyncio
from typing import Final

from redis.asyncio import Redis
from redis.exceptions import RedisError

from catfeeder.queue.lua_scripts import Script
from worker.http.asgi.batcher import Batcher

_KEY_PREFIX: Final = "catfeeder:rate:"
#: Redis answers within a millisecond. A request does not wait for one that hangs.
_TIMEOUT_SECONDS: Final = 0.5

# A bucket of as many tokens as a minute has, refilled evenly: one number is kept, the time at which
# the bucket is full again. All processes go by Redis's own clock. A key that holds no number, or a
# time that no count could have led to, was written by another program and is overwritten: an error
# would leave the whole batch uncounted, and a time of next year would refuse a key until then.
_TAKE: Final = Script(
    """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local waits = {}
for place, name in ipairs(KEYS) do
    local stored = redis.pcall('GET', name)
    local known = type(stored) == 'string' and tonumber(stored)
    if not known or not (known < now + 61) then known = now end
    local full_at = math.max(known, now) + 60 / ARGV[place]
    waits[place] = math.max(0, math.ceil(full_at - now - 60.000001))
    if waits[place] == 0 then
        redis.call('SET', name, string.format('%.6f', full_at), 'EX', 60)
    end
end
return waits
""",
    runs_when_full=True,
)


class RateLimiter:
    """Counts by name, in batches.

    With a connection for each count, a server would refuse some, and what is not counted passes.
    """

    def __init__(self, redis: Redis) -> None:
        self._take = redis.register_script(_TAKE.text)
        self._batcher = Batcher(self._take_all)

    async def take(self, name: str, per_minute: int) -> int:
        """Count one more and return 0, or the seconds to wait where the minute has no more of it.

        While Redis is away the answer is 0: what needs no queue is still served.
        """
        key = (_KEY_PREFIX + name).encode(errors="surrogatepass")
        return await self._batcher.ask((key, per_minute))

    async def _take_all(self, asked: list[tuple[bytes, int]]) -> list[int]:
        names, per_minute = zip(*asked, strict=True)
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                waits: list[int] = await self._take(keys=names, args=per_minute)
        except (RedisError, OSError, TimeoutError):
            return [0] * len(asked)
        return waits
