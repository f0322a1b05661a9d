"""Waiting for jobs: no end is missed, and a thousand who wait cost next to nothing."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable

import dramatiq
import pytest
from redis.asyncio import Redis

from catfeeder.client import Client
from catfeeder.jobs import JobRecord, JobStatus, utc_now
from catfeeder.redis_connection import connect_redis_async
from config import Settings
from tests.conftest import ADMIN_API_KEY
from tests.jobs import put_job
from tests.servers import ValkeyServer
from tests.worker.http.broken_broker import cut_off
from worker.consuming import ConsumingBroker
from worker.http.shim import Shim
from worker.http.waiting import WaitingRoom

_MANY = 1000
#: Checked in a millisecond, so that the test is one of waiting.
_CHEAP_HASH = "$2b$04$Ur3ynhELFDSknjJGtGfLm.jGnInj8JF04p2L9VuHK8E2aBM/pMlC2"


def test_a_thousand_requests_wait_without_a_thread_or_a_connection_each(
    url: str, shim: Shim, broker: ConsumingBroker, valkey: ValkeyServer
) -> None:
    # Given a thousand requests that wait for as many jobs
    told: list[bytes] = []
    asking = threading.Thread(target=lambda: told.extend(asyncio.run(_ask_many(url))))
    asking.start()
    _await(lambda: len(shim.waiting) == _MANY)
    # When threads and connections are counted
    threads = threading.active_count()
    connections = len(valkey.client.client_list())
    # And then a worker performs the jobs
    worker = dramatiq.Worker(broker, worker_threads=2, worker_timeout=20)
    worker.start()
    asking.join()
    worker.stop()
    # Then there are no more than the pool has, and everybody got their own result
    assert threads < 60
    assert connections < 60
    assert {each.split(b"\r\n", 1)[0] for each in told} == {b"HTTP/1.1 200 OK"}
    assert len({json.loads(each.partition(b"\r\n\r\n")[2])["id"] for each in told}) == _MANY
    assert len(shim.waiting) == 0


async def _ask_many(url: str) -> list[bytes]:
    """Ask by plain sockets: a thousand of a library's connections would take longest of all."""
    port = int(url.rpartition(":")[2])
    body = json.dumps({"password": "correct horse battery", "password_hash": _CHEAP_HASH})
    request = (
        f"POST /v1/passwords/check HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        f"Authorization: Bearer {ADMIN_API_KEY}\r\nPrefer: wait=30\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    )

    async def ask() -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request.encode())
        answer = await reader.read()
        writer.close()
        return answer

    return list(await asyncio.gather(*(ask() for _ in range(_MANY))))


def _await(is_so: object) -> None:
    deadline = time.monotonic() + 60
    while not is_so():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.01)


async def _until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not is_so():  # noqa: ASYNC110 - Redis and a thread change it, which set no event.
            await asyncio.sleep(0.01)


class Desk:
    """A waiting room and the store behind it, with a count of the looks."""

    def __init__(self, redis: Redis, client: Client) -> None:
        self.client = client
        self.room = WaitingRoom(redis, self.look, client.jobs.announced)
        self.looks = 0

    def look(self, job_id: str) -> JobRecord | None:
        self.looks += 1
        return self.client.jobs.get(job_id)

    def new_job(self, job_id: str = "job-1") -> JobRecord:
        return put_job(self.client.redis, job_id)


@pytest.fixture
def desk(settings: Settings, client: Client) -> Desk:
    """A waiting room on a real broker."""
    return Desk(connect_redis_async(settings.required_redis_url()), client)


@pytest.mark.anyio
async def test_an_end_between_subscribing_and_looking_is_not_missed(desk: Desk) -> None:
    # Given a job that ends after it was last seen and before anybody waits
    record = desk.new_job()
    desk.client.jobs.succeed("job-1", 1, utc_now())
    # When it is waited for, though nothing is announced any more
    begun = time.monotonic()
    ended = await desk.room.wait(record, 20)
    # Then it is seen at once
    assert ended.status is JobStatus.SUCCEEDED
    assert time.monotonic() - begun < 4


@pytest.mark.anyio
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
    desk.client.jobs.succeed("job-1", 1, utc_now())
    ended = await asyncio.wait_for(waits[0], 30)
    # Then only that one is woken, and was told the result without a look
    assert ended.result == 1
    assert desk.looks == looks
    assert not waits[1].done()
    assert len(desk.room) == 1
    waits[1].cancel()
    listening.cancel()


@pytest.mark.anyio
async def test_who_has_listened_all_along_need_not_look(desk: Desk) -> None:
    # Given a room that listens, and jobs that are asked for then
    listening = asyncio.create_task(desk.room.listen())
    await _until(lambda: desk.room._hears_all_since is not None)
    early, late = desk.new_job("early"), desk.new_job("late")
    # When one ends before it is waited for, and another after that
    desk.client.jobs.succeed("early", 1, utc_now())
    waits = asyncio.create_task(desk.room.wait(late, 20))
    await _until(lambda: len(desk.room) == 1)
    desk.client.jobs.succeed("late", 2, utc_now())
    # Then both results are there at once, and nobody has looked
    assert (await asyncio.wait_for(waits, 30)).result == 2
    assert (await asyncio.wait_for(desk.room.wait(early, 20), 30)).result == 1
    assert desk.looks == 0
    listening.cancel()


@pytest.mark.anyio
async def test_an_end_during_a_lost_connection_is_seen_after_it(
    desk: Desk, valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.http.waiting._LOOK_ANYWAY_SECONDS", 600)
    # Given somebody who waits while announcements are listened to
    listening = asyncio.create_task(desk.room.listen())
    wait = asyncio.create_task(desk.room.wait(desk.new_job(), 600))
    await _until(lambda: desk.client.redis.pubsub_numpat() == 1 and len(desk.room) == 1)
    # When the connection is lost and the job ends before it is made anew
    valkey.client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
    desk.client.jobs.succeed("job-1", 1, utc_now())
    # Then the new connection makes everybody look
    ended = await asyncio.wait_for(wait, 60)
    assert ended.status is JobStatus.SUCCEEDED
    listening.cancel()


@pytest.mark.anyio
async def test_a_broker_that_stays_away_is_told_of_once(
    settings: Settings,
    client: Client,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    # Given a broker that is away for several attempts to listen
    monkeypatch.setattr("worker.http.waiting._RECONNECT_SECONDS", 0.01)
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
    client.jobs.succeed("job-1", 1, utc_now())
    assert (await asyncio.wait_for(wait, 30)).status is JobStatus.SUCCEEDED
    listening.cancel()


@pytest.mark.anyio
async def test_without_announcements_it_is_looked_anyway(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given that nobody listens
    monkeypatch.setattr("worker.http.waiting._LOOK_ANYWAY_SECONDS", 0.1)
    wait = asyncio.create_task(desk.room.wait(desk.new_job(), 20))
    await asyncio.sleep(0.05)
    desk.client.jobs.succeed("job-1", 1, utc_now())
    assert (await asyncio.wait_for(wait, 30)).status is JobStatus.SUCCEEDED


@pytest.mark.anyio
async def test_who_waits_in_vain_gets_the_job_as_it_is(desk: Desk) -> None:
    assert (await desk.room.wait(desk.new_job(), 0.05)).status is JobStatus.QUEUED
    # And nothing is left of it
    assert desk.room._bells == {}


@pytest.mark.anyio
async def test_a_broker_that_goes_away_costs_the_wait_and_not_the_job(desk: Desk) -> None:
    record = desk.new_job()
    cut_off(desk.client)
    assert await desk.room.wait(record, 0.05) == record


@pytest.mark.anyio
async def test_closing_sends_everybody_off(desk: Desk) -> None:
    wait = asyncio.create_task(desk.room.wait(desk.new_job(), 20))
    await asyncio.sleep(0.05)
    desk.room.close()
    assert (await asyncio.wait_for(wait, 15)).status is JobStatus.QUEUED
    # And nobody begins to wait any more
    late = desk.room.wait(desk.new_job("job-2"), 20)
    assert (await asyncio.wait_for(late, 15)).status is JobStatus.QUEUED
