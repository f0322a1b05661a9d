"""Script caller: the event loop goes on, whatever Redis does."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import pytest
import redis

from catfeeder.queue.lua_scripts import Call, Script
from catfeeder.queue.redis.connection import connect_redis
from tests.servers import ValkeyServer
from worker.http.jobs.script_caller import ScriptCaller

pytestmark = pytest.mark.anyio
_COUNT: Final = Call(Script("return redis.call('INCR', KEYS[1])"), ["total"], [])


@pytest.fixture
def caller(valkey: ValkeyServer) -> Iterator[ScriptCaller]:
    """A caller that waits a second for an answer."""
    with connect_redis(valkey.url, reply_timeout=1) as client, ThreadPoolExecutor(1) as threads:
        yield ScriptCaller(client, threads)


async def test_calls_are_answered_in_their_order(caller: ScriptCaller) -> None:
    assert [await caller.call([_COUNT]) for _ in range(3)] == [[1], [2], [3]]
    many = await asyncio.gather(*(caller.call([_COUNT, _COUNT]) for _ in range(20)))
    assert sorted(count for counts in many for count in counts) == list(range(4, 44))


async def test_a_server_that_has_forgotten_a_script_learns_it(
    caller: ScriptCaller, valkey: ValkeyServer
) -> None:
    await caller.call([_COUNT])
    valkey.client.script_flush()
    assert await caller.call([_COUNT, _COUNT]) == [2, 3]


async def test_a_connection_that_was_cut_is_made_anew(
    caller: ScriptCaller, valkey: ValkeyServer
) -> None:
    await caller.call([_COUNT])
    valkey.cut_connections()
    assert await caller.call([_COUNT]) == [2]


async def test_the_loop_goes_on_while_redis_hangs(
    caller: ScriptCaller, valkey: ValkeyServer
) -> None:
    # Given a caller with a connection, and a Redis that freezes
    await caller.call([_COUNT])
    turns = 0
    with valkey.frozen():
        # When a script is called, then it fails within the time of an answer
        asked = asyncio.create_task(caller.call([_COUNT]))
        while not asked.done():
            await asyncio.sleep(0.01)
            turns += 1
        with pytest.raises(redis.TimeoutError):
            await asked
    # And meanwhile the loop has turned; nor is the late answer taken for another's
    assert turns > 10
    assert await caller.call([_COUNT]) == [3]
