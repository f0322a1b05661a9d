"""Waiting for jobs: no end is missed, and an announced job is not looked up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from redis.asyncio import Redis

from catfeeder.client import Client
from catfeeder.queue.jobs.scripts import job_key
from catfeeder.queue.jobs.store import JobRecord, JobStatus
from catfeeder.queue.redis.connection import connect_redis_async
from catfeeder.queue.waiting import JobWaiter
from config import Settings
from tests.jobs import put_job, succeed
from tests.servers import ValkeyServer

pytestmark = pytest.mark.anyio


async def _until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not is_so():  # noqa: ASYNC110 - Redis and a thread change it, which set no event.
            await asyncio.sleep(0.01)


class Desk:
    """A waiter and the store behind it, with a count of the look-ups."""

    def __init__(self, redis: Redis, client: Client, poll_interval: float = 600) -> None:
        self.client = client
        self.waiter = JobWaiter(
            redis,
            self.find,
            client.jobs.read_end,
            poll_interval=poll_interval,
            reconnect_delay=0.01,
        )
        self.look_ups = 0

    async def find(self, job_id: str) -> JobRecord | None:
        self.look_ups += 1
        return self.client.jobs.get(job_id)

    def new_job(self, job_id: str = "job-1") -> JobRecord:
        return put_job(self.client.jobs, job_id)

    def end(self, job_id: str = "job-1", result: object = 1) -> None:
        succeed(self.client.jobs, job_id, result)

    def wait(self, record: JobRecord) -> asyncio.Task[JobRecord]:
        """Begin to wait for a job, for at most 20 seconds."""
        return asyncio.create_task(self.waiter.wait(record, 20))

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[asyncio.Task[None]]:
        """Listen to announcements for the length of the block."""
        task = asyncio.create_task(self.waiter.listen())
        await _until(lambda: self.waiter.subscribed_since is not None)
        yield task
        task.cancel()

    async def catch_up(self) -> None:
        """Return when all announcements until now were received; they come in their order."""
        wait = self.wait(self.new_job("last"))
        await _until(lambda: len(self.waiter) == 1)
        self.end("last")
        await asyncio.wait_for(wait, 30)


@pytest.fixture
def desk(settings: Settings, client: Client) -> Desk:
    """A waiter on a real broker, which polls too rarely for a test to see it."""
    return Desk(connect_redis_async(settings.required_redis_url()), client)


async def test_an_end_between_subscribing_and_looking_is_not_missed(desk: Desk) -> None:
    # Given a job that ends after it was last seen and before it is waited for
    record = desk.new_job()
    desk.end()
    # When it is waited for, though nothing is announced any more
    begun = time.monotonic()
    ended = await desk.waiter.wait(record, 20)
    # Then it is seen at once
    assert ended.status is JobStatus.SUCCEEDED
    assert time.monotonic() - begun < 4


async def test_an_announcement_wakes_its_waiters_and_no_others(desk: Desk) -> None:
    # Given two jobs from before the subscription that are waited for: each is looked up once
    one, other = desk.new_job("job-1"), desk.new_job("job-2")
    async with desk.listening():
        waits = [desk.wait(record) for record in (one, other)]
        await _until(lambda: desk.look_ups == len(desk.waiter) == 2)
        # When one ends
        desk.end()
        ended = await asyncio.wait_for(waits[0], 30)
        # Then only that wait ends, and its result came without a look-up
        assert ended.result == 1
        assert desk.look_ups == 2
        assert not waits[1].done()
        assert len(desk.waiter) == 1
        waits[1].cancel()


async def test_a_job_that_is_younger_than_the_subscription_is_not_looked_up(desk: Desk) -> None:
    async with desk.listening():
        early, late = desk.new_job("early"), desk.new_job("late")
        # When one ends before it is waited for, and another after that
        desk.end("early", 1)
        wait = desk.wait(late)
        await _until(lambda: len(desk.waiter) == 1)
        desk.end("late", 2)
        # Then both results are there at once, and neither was looked up
        assert (await asyncio.wait_for(wait, 30)).result == 2
        assert (await asyncio.wait_for(desk.wait(early), 30)).result == 1
        assert desk.look_ups == 0


async def test_a_large_result_is_looked_up_and_not_cached(desk: Desk) -> None:
    async with desk.listening():
        # Given two jobs that end before they are waited for, one of them with a large result
        large, small = desk.new_job("large"), desk.new_job("small")
        desk.end("large", "x" * 20_000)
        desk.end("small", "x")
        await desk.catch_up()
        # When they are waited for, then both are seen at once
        assert (await asyncio.wait_for(desk.wait(small), 30)).result == "x"
        assert desk.look_ups == 0
        assert (await asyncio.wait_for(desk.wait(large), 30)).result == "x" * 20_000
        assert desk.look_ups == 1


async def test_an_end_during_a_lost_connection_is_seen_after_it(
    desk: Desk, valkey: ValkeyServer
) -> None:
    async with desk.listening():
        wait = desk.wait(desk.new_job())
        await _until(lambda: len(desk.waiter) == 1)
        # When the connection is lost and the job ends before it is made anew
        valkey.client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
        desk.end()
        # Then the new connection makes every wait look
        assert (await asyncio.wait_for(wait, 60)).status is JobStatus.SUCCEEDED


async def test_foreign_announcements_do_not_end_the_listening(desk: Desk) -> None:
    async with desk.listening() as task:
        # Given another client that publishes on channels that begin like ours
        for channel in (b"catfeeder:ended:\xff", b"catfeeder:ended:", b"catfeeder:ended:job-1"):
            desk.client.redis.execute_command("PUBLISH", channel, b"\xff:")
        # Then the end of a job is received as before
        await desk.catch_up()
        assert not task.done()


async def test_a_broker_that_stays_away_is_logged_once(
    settings: Settings, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    # Given a broker that is away for several attempts to listen
    redis = connect_redis_async("unix:///nowhere.sock")
    desk = Desk(redis, client)
    listening = asyncio.create_task(desk.waiter.listen())
    await _until(lambda: "Lost the announcements" in caplog.text)
    await asyncio.sleep(0.1)
    assert caplog.text.count("Lost the announcements") == 1
    # When it is back
    redis.connection_pool = connect_redis_async(settings.required_redis_url()).connection_pool
    await _until(lambda: desk.waiter.subscribed_since is not None)
    # Then announcements are received
    await desk.catch_up()
    listening.cancel()


async def test_a_job_is_polled_where_none_is_announced(settings: Settings, client: Client) -> None:
    # Given a waiter that does not listen
    desk = Desk(connect_redis_async(settings.required_redis_url()), client, poll_interval=0.05)
    wait = desk.wait(desk.new_job())
    await _until(lambda: desk.look_ups == 1)
    desk.end()
    assert (await asyncio.wait_for(wait, 30)).status is JobStatus.SUCCEEDED


async def test_a_wait_in_vain_returns_the_job_as_it_is(desk: Desk) -> None:
    assert (await desk.waiter.wait(desk.new_job(), 0.05)).status is JobStatus.QUEUED
    assert len(desk.waiter) == 0


async def test_closing_ends_every_wait(desk: Desk) -> None:
    wait = desk.wait(desk.new_job())
    await _until(lambda: len(desk.waiter) == 1)
    desk.waiter.close()
    assert (await asyncio.wait_for(wait, 15)).status is JobStatus.QUEUED
    # And a later one ends at once
    late = desk.wait(desk.new_job("job-2"))
    assert (await asyncio.wait_for(late, 15)).status is JobStatus.QUEUED


async def test_a_job_that_is_sent_anew_has_not_ended_yet(desk: Desk) -> None:
    async with desk.listening():
        # Given a job whose end was announced while it was not waited for
        desk.new_job()
        desk.end("job-1", "the first time")
        await desk.catch_up()
        # When it is sent anew under its id, and waited for
        desk.client.redis.delete(job_key("job-1"))
        wait = desk.wait(desk.new_job())
        await _until(lambda: len(desk.waiter) == 1 or wait.done())
        # Then it is the second end that is waited for
        desk.end("job-1", "the second time")
        assert (await asyncio.wait_for(wait, 30)).result == "the second time"
