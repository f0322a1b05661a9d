"""Rate limiter: as many at once as a minute has, and then evenly, for all processes together."""

from __future__ import annotations

import asyncio

import pytest
from redis.asyncio import Redis

from catfeeder.queue.redis.connection import connect_redis_async
from config import Settings
from tests.servers import ValkeyServer
from worker.http.auth.rate_limits import RateLimiter


def let_pass(valkey: ValkeyServer, seconds: float) -> None:
    """Move what is kept of the past back, as if time went by."""
    for name in valkey.key_names():
        kept = valkey.client.get(name)
        assert isinstance(kept, bytes)
        valkey.client.set(name, float(kept) - seconds)


def is_a_third(wait_seconds: float) -> bool:
    """Tell whether it is a third of a minute, but for what has passed of it meanwhile."""
    return 10 < wait_seconds <= 20


@pytest.mark.anyio
async def test_a_minutes_worth_may_come_at_once_and_then_it_is_even(
    async_redis: Redis, valkey: ValkeyServer
) -> None:
    rate_limiter = RateLimiter(async_redis)
    # Given three a minute, and three that came
    assert [await rate_limiter.take("a", 3) for _ in range(3)] == [0, 0, 0]
    # When a fourth comes, then it is told to wait for a third of a minute, however often it asks
    assert {is_a_third(await rate_limiter.take("a", 3)) for _ in range(5)} == {True}
    # And after that one may come, and no second
    let_pass(valkey, 20)
    assert await rate_limiter.take("a", 3) == 0
    assert is_a_third(await rate_limiter.take("a", 3))
    # And after a minute of rest there is a minute's worth again
    let_pass(valkey, 3600)
    assert [await rate_limiter.take("a", 3) for _ in range(3)] == [0, 0, 0]
    assert is_a_third(await rate_limiter.take("a", 3))


@pytest.mark.anyio
async def test_each_name_has_a_count_of_its_own(async_redis: Redis) -> None:
    rate_limiter = RateLimiter(async_redis)
    assert [await rate_limiter.take("a", 1), await rate_limiter.take("b", 1)] == [0, 0]
    assert 40 < await rate_limiter.take("a", 1) <= 60


@pytest.mark.anyio
@pytest.mark.parametrize("spoilt", ["no number", ["a list"], "9999999999", "inf", "nan", "1e999"])
async def test_a_name_that_cannot_be_counted_leaves_no_other_uncounted(
    async_redis: Redis, valkey: ValkeyServer, spoilt: str | list[str]
) -> None:
    # Given a name in whose place something else stands, and one that no encoding takes
    key = "catfeeder:rate:spoilt"
    if isinstance(spoilt, list):
        valkey.client.rpush(key, *spoilt)
    else:
        valkey.client.set(key, spoilt)
    rate_limiter = RateLimiter(async_redis)
    names = ("spoilt", "\ud800", "a")
    # When they are counted with another, then each has its own count
    for expected in ([0, 0, 0], [True, True, True]):
        waits = await asyncio.gather(*[rate_limiter.take(name, 1) for name in names])
        assert [wait and 40 < wait <= 60 for wait in waits] == expected


@pytest.mark.anyio
async def test_processes_count_together(async_redis: Redis, settings: Settings) -> None:
    # Given two processes
    other = connect_redis_async(settings.required_redis_url())
    began = asyncio.get_running_loop().time()
    async with other:
        here, there = RateLimiter(async_redis), RateLimiter(other)
        # When many come to both at once
        taken = await asyncio.gather(
            *[rate_limiter.take("a", 20) for rate_limiter in [here, there] * 25]
        )
    # Then no more pass than may: one more for each three seconds that it took
    seconds = asyncio.get_running_loop().time() - began
    assert 20 <= taken.count(0) <= 20 + seconds // 3


@pytest.mark.anyio
async def test_however_many_come_at_once_all_are_counted(async_redis: Redis) -> None:
    # Given more at the same moment than there are connections for
    rate_limiter = RateLimiter(async_redis)
    began = asyncio.get_running_loop().time()
    taken = await asyncio.gather(*[rate_limiter.take("a", 20) for _ in range(500)])
    # Then no more pass than may: one more for each three seconds that it took
    seconds = asyncio.get_running_loop().time() - began
    assert 20 <= taken.count(0) <= 20 + seconds // 3
    # And nobody waits for another's turn: one connection has served all
    assert len(async_redis.connection_pool._available_connections) == 1


@pytest.mark.anyio
async def test_a_redis_without_memory_counts_on(async_redis: Redis, valkey: ValkeyServer) -> None:
    rate_limiter = RateLimiter(async_redis)
    valkey.client.config_set("maxmemory", 1)
    try:
        assert await rate_limiter.take("a", 1) == 0
        assert await rate_limiter.take("a", 1) > 0
    finally:
        valkey.client.config_set("maxmemory", 0)


@pytest.mark.anyio
async def test_what_is_kept_is_forgotten_after_a_minute(
    async_redis: Redis, valkey: ValkeyServer
) -> None:
    await RateLimiter(async_redis).take("a", 3)
    [name] = valkey.key_names()
    assert name == "catfeeder:rate:a"
    assert 0 < int(str(valkey.client.ttl(name))) <= 60


@pytest.mark.anyio
async def test_without_redis_everything_passes() -> None:
    rate_limiter = RateLimiter(connect_redis_async("unix:///nowhere.sock"))
    assert [await rate_limiter.take("a", 1), await rate_limiter.take("a", 1)] == [0, 0]


@pytest.mark.anyio
async def test_a_redis_that_hangs_delays_no_request(
    async_redis: Redis, valkey: ValkeyServer
) -> None:
    # Given a Redis that answers nobody for a while
    with valkey.frozen():
        # When something is counted, then it passes before anybody loses patience
        assert await asyncio.wait_for(RateLimiter(async_redis).take("a", 1), 8) == 0
