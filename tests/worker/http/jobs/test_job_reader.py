"""Batched job reader: many lookups at once, a broken record, a Redis that hangs or is away."""

from __future__ import annotations

import asyncio
import threading

import pytest
from redis.asyncio import Redis

from catfeeder.client import Client
from catfeeder.errors import QueueUnreachable
from catfeeder.queue.redis.connection import connect_redis_async
from tests.servers import ValkeyServer
from worker.http.jobs.job_reader import BatchedJobReader

pytestmark = pytest.mark.anyio


@pytest.fixture
def job_reader(async_redis: Redis, client: Client) -> BatchedJobReader:
    """Reads the jobs of the client."""
    return BatchedJobReader(async_redis, client.jobs)


async def test_each_lookup_gets_its_own_job(
    job_reader: BatchedJobReader, client: Client, async_redis: Redis
) -> None:
    jobs = [client.hash_password("hunter2") for _ in range(200)]
    found = await asyncio.gather(
        *[job_reader.find(job.id) for job in jobs], job_reader.find("none")
    )
    assert found == [*(job.record() for job in jobs), None]
    assert len(async_redis.connection_pool._available_connections) == 1


async def test_a_broken_record_harms_no_other(
    job_reader: BatchedJobReader, client: Client, valkey: ValkeyServer
) -> None:
    job = client.hash_password("hunter2")
    valkey.client.set("catfeeder:job:spoilt", "no hash")
    found = await asyncio.gather(job_reader.find("spoilt"), job_reader.find(job.id))
    assert list(found) == [None, job.record()]


async def test_an_id_that_cannot_be_written_harms_no_other(
    job_reader: BatchedJobReader, client: Client
) -> None:
    job = client.hash_password("hunter2")
    found = await asyncio.gather(job_reader.find("\ud800"), job_reader.find(job.id))
    assert list(found) == [None, job.record()]


async def test_while_redis_hangs_all_lookups_fail_soon_and_hold_no_thread(
    async_redis: Redis, client: Client, valkey: ValkeyServer
) -> None:
    job_reader = BatchedJobReader(async_redis, client.jobs, timeout_seconds=0.2)
    await job_reader.find("none")
    threads = threading.active_count()
    with valkey.frozen():
        asked = [asyncio.create_task(job_reader.find(str(number))) for number in range(200)]
        await asyncio.sleep(0.1)
        assert threading.active_count() == threads
        outcomes = await asyncio.wait_for(asyncio.gather(*asked, return_exceptions=True), 10)
    assert {type(outcome) for outcome in outcomes} == {QueueUnreachable}
    # And when it is back, jobs are found
    job = client.hash_password("hunter2")
    assert await job_reader.find(job.id) == job.record()


async def test_without_redis_each_lookup_fails(client: Client) -> None:
    job_reader = BatchedJobReader(connect_redis_async("unix:///nowhere.sock"), client.jobs)
    outcomes = await asyncio.gather(
        *[job_reader.find("x") for _ in range(3)], return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes] == [QueueUnreachable] * 3
