"""Waiting for jobs: no end is missed, and nobody looks who was told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest
from redis.asyncio import Redis

from catfeeder.client import Client
from catfeeder.job_scripts import job_key
from catfeeder.jobs import JobRecord, JobStatus
from catfeeder.redis_connection import connect_redis_async
from catfeeder.waiting import JobWaiter
from config import Settings
from tests.jobs import put_job, succeed
from tests.servers import ValkeyServer

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """The event loop that apps and the server run."""
    return "asyncio"


async def _until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not is_so():  # noqa: ASYNC110 - Redis and a thread change it, which set no event.
            await asyncio.sleep(0.01)


class Desk:
    """A waiting room and the store behind it, with a count of the looks."""

    def __init__(self, redis: Redis, client: Client) -> None:
        self.client = client
        self.room = JobWaiter(redis, self.look, client.jobs.read_announcement)
        self.looks = 0

    async def look(self, job_id: str) -> JobRecord | None:
        self.looks += 1
        return self.client.jobs.get(job_id)

    def new_job(self, job_id: str = "job-1") -> JobRecord:
        return put_job(self.client.redis, job_id)


@pytest.fixture
def desk(settings: Settings, client: Client) -> Desk:
    """A waiting room on a real broker."""
    return Desk(connect_redis_async(settings.required_redis_url()), client)


async def test_an_end_between_subscribing_and_looking_is_not_missed(desk: Desk) -> None:
    # Given a job that ends after it was last seen and before anybody waits
    record = desk.new_job()
    succeed(desk.client.jobs, "job-1", 1)
    # When it is waited for, though nothing is announced any more
    begun = time.monotonic()
    ended = await desk.room.wait(record, 20)
    # Then it is seen at once
    assert ended.status is JobStatus.SUCCEEDED
    assert time.monotonic() - begun < 4


async def test_an_announcement_wakes_those_who_wait_and_no_others(desk: Desk) -> None:
    # Given two jobs that are waited for
    one, other = desk.new_job("job-1"), desk.new_job("job-2")
    listening = asyncio.create_task(desk.room.listen())
    await _until(lambda: desk.client.redis.pubsub_numpat() == 1)
    waits = [asyncio.create_task(desk.room.wait(record, 20)) for record in (one, other)]
    # Each has looked once, and once more at most, should the news of the subscription come late
    await _until(lambda: desk.looks >= 2)
    await asyncio.sleep(0.2)
    looks = desk.looks
    # When one ends
    succeed(desk.client.jobs, "job-1", 1)
    ended = await asyncio.wait_for(waits[0], 30)
    # Then only that one is woken, and was told the result without a look
    assert ended.result == 1
    assert desk.looks == looks
    assert not waits[1].done()
    assert len(desk.room) == 1
    waits[1].cancel()
    listening.cancel()


async def test_who_has_listened_all_along_need_not_look(desk: Desk) -> None:
    # Given a room that listens, and jobs that are asked for then
    listening = asyncio.create_task(desk.room.listen())
    await _until(lambda: desk.room._hears_all_since is not None)
    early, late = desk.new_job("early"), desk.new_job("late")
    # When one ends before it is waited for, and another after that
    succeed(desk.client.jobs, "early", 1)
    waits = asyncio.create_task(desk.room.wait(late, 20))
    await _until(lambda: len(desk.room) == 1)
    succeed(desk.client.jobs, "late", 2)
    # Then both results are there at once, and nobody has looked
    assert (await asyncio.wait_for(waits, 30)).result == 2
    assert (await asyncio.wait_for(desk.room.wait(early, 20), 30)).result == 1
    assert desk.looks == 0
    listening.cancel()


async def test_what_is_large_is_looked_for_and_not_remembered(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("catfeeder.waiting._LOOK_ANYWAY_SECONDS", 600)
    # Given a room that listens, and two jobs that end before they are waited for, one of them large
    listening = asyncio.create_task(desk.room.listen())
    await _until(lambda: desk.room._hears_all_since is not None)
    large, small = desk.new_job("large"), desk.new_job("small")
    succeed(desk.client.jobs, "large", "x" * 20_000)
    succeed(desk.client.jobs, "small", "x")
    await _until(lambda: len(desk.room._latest) == 2)
    assert sum(map(len, desk.room._latest.values())) < 2000
    # When they are waited for, then both are seen at once
    assert (await asyncio.wait_for(desk.room.wait(small, 600), 30)).result == "x"
    assert desk.looks == 0
    assert (await asyncio.wait_for(desk.room.wait(large, 600), 30)).result == "x" * 20_000
    assert desk.looks == 1
    listening.cancel()


async def test_an_end_during_a_lost_connection_is_seen_after_it(
    desk: Desk, valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("catfeeder.waiting._LOOK_ANYWAY_SECONDS", 600)
    # Given somebody who waits while announcements are listened to
    listening = asyncio.create_task(desk.room.listen())
    wait = asyncio.create_task(desk.room.wait(desk.new_job(), 600))
    await _until(lambda: desk.client.redis.pubsub_numpat() == 1 and len(desk.room) == 1)
    # When the connection is lost and the job ends before it is made anew
    valkey.client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
    succeed(desk.client.jobs, "job-1", 1)
    # Then the new connection makes everybody look
    ended = await asyncio.wait_for(wait, 60)
    assert ended.status is JobStatus.SUCCEEDED
    listening.cancel()


async def test_what_others_publish_ends_no_listening(desk: Desk) -> None:
    # Given somebody who publishes on channels that begin like ours
    listening = asyncio.create_task(desk.room.listen())
    await _until(lambda: desk.client.redis.pubsub_numpat() == 1)
    for channel in (b"catfeeder:ended:\xff", b"catfeeder:ended:", b"catfeeder:ended:job-1"):
        desk.client.redis.execute_command("PUBLISH", channel, b"\xff:")
    # Then jobs that end are heard of as before
    wait = asyncio.create_task(desk.room.wait(desk.new_job(), 20))
    await _until(lambda: len(desk.room) == 1)
    succeed(desk.client.jobs, "job-1", 1)
    assert (await asyncio.wait_for(wait, 30)).status is JobStatus.SUCCEEDED
    assert not listening.done()
    listening.cancel()


async def test_a_broker_that_stays_away_is_told_of_once(
    settings: Settings,
    client: Client,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    # Given a broker that is away for several attempts to listen
    monkeypatch.setattr("catfeeder.waiting._RECONNECT_SECONDS", 0.01)
    redis = connect_redis_async("unix:///nowhere.sock")
    desk = Desk(redis, client)
    listening = asyncio.create_task(desk.room.listen())
    await _until(lambda: "Lost the announcements" in caplog.text)
    await asyncio.sleep(0.1)
    assert caplog.text.count("Lost the announcements") == 1
    # When it is back
    right = connect_redis_async(settings.required_redis_url())
    redis.connection_pool = right.connection_pool
    await _until(lambda: client.redis.pubsub_numpat() == 1)
    # Then announcements are heard
    wait = asyncio.create_task(desk.room.wait(desk.new_job(), 20))
    await _until(lambda: len(desk.room) == 1)
    succeed(client.jobs, "job-1", 1)
    assert (await asyncio.wait_for(wait, 30)).status is JobStatus.SUCCEEDED
    listening.cancel()


async def test_without_announcements_it_is_looked_anyway(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given that nobody listens
    monkeypatch.setattr("catfeeder.waiting._LOOK_ANYWAY_SECONDS", 0.1)
    wait = asyncio.create_task(desk.room.wait(desk.new_job(), 20))
    await asyncio.sleep(0.05)
    succeed(desk.client.jobs, "job-1", 1)
    assert (await asyncio.wait_for(wait, 30)).status is JobStatus.SUCCEEDED


async def test_who_waits_in_vain_gets_the_job_as_it_is(desk: Desk) -> None:
    assert (await desk.room.wait(desk.new_job(), 0.05)).status is JobStatus.QUEUED
    # And nothing is left of it
    assert desk.room._bells == {}


async def test_closing_sends_everybody_off(desk: Desk) -> None:
    wait = asyncio.create_task(desk.room.wait(desk.new_job(), 20))
    await asyncio.sleep(0.05)
    desk.room.close()
    assert (await asyncio.wait_for(wait, 15)).status is JobStatus.QUEUED
    # And nobody begins to wait any more
    late = desk.room.wait(desk.new_job("job-2"), 20)
    assert (await asyncio.wait_for(late, 15)).status is JobStatus.QUEUED


async def test_a_job_that_is_sent_anew_has_not_ended_yet(desk: Desk) -> None:
    # Given a job that ended while the room listened and nobody waited
    listening = asyncio.create_task(desk.room.listen())
    await _until(lambda: desk.room._hears_all_since is not None)
    desk.new_job()
    succeed(desk.client.jobs, "job-1", "the first time")
    await _until(lambda: "job-1" in desk.room._latest)
    # When it is sent anew under its id, and waited for
    desk.client.redis.delete(job_key("job-1"))
    wait = asyncio.create_task(desk.room.wait(desk.new_job(), 20))
    await _until(lambda: len(desk.room) == 1 or wait.done())
    # Then it is the second end that is waited for
    succeed(desk.client.jobs, "job-1", "the second time")
    assert (await asyncio.wait_for(wait, 30)).result == "the second time"
    listening.cancel()
