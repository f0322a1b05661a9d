"""The client for asyncio: the same verbs, no thread, and one connection for all waits."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import os
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, cast

import pytest

import catfeeder
from catfeeder.aio import AsyncClient, AsyncJob
from catfeeder.client import Client, Job
from catfeeder.clock import utc_now
from catfeeder.errors import (
    ApiNotGiven,
    JobCancelled,
    JobExpired,
    JobFailed,
    JobTimeout,
    QueueUnreachable,
)
from catfeeder.queue.jobs.store import JobError
from catfeeder.queue.waiting import cancel_and_wait
from config import Settings
from tests.actors.test_registry import ASKED
from tests.jobs import fail, succeed
from tests.servers import ValkeyServer

pytestmark = pytest.mark.anyio

MANY = 200
#: Methods that are no verbs.
APART = {"enqueue", "job", "close", "aclose", "find", "cancel", "wait"}


@pytest.fixture
async def aio(
    settings: Settings,
    queue_key: str,
    anyio_backend: str,  # noqa: ARG001
) -> AsyncIterator[AsyncClient]:
    """A client as another app has it."""
    async with catfeeder.connect_async(settings.required_redis_url(), queue_key) as connected:
        yield connected


def verbs(client: type) -> dict[str, Any]:
    """Return the parameters of each verb."""
    return {
        name: [
            (each.name, each.kind, each.default, each.annotation)
            for each in inspect.signature(method).parameters.values()
        ]
        for name, method in inspect.getmembers(client, inspect.isfunction)
        if not name.startswith("_") and name not in APART
    }


def test_both_clients_have_the_same_verbs() -> None:
    assert verbs(AsyncClient) == verbs(Client)
    asked_for = {"hash_password", "check_password", "authorize", "exchange_code", "user_info"}
    assert asked_for | {"access_token", "renew"} <= set(verbs(Client))


async def test_both_send_the_same(client: Client, aio: AsyncClient, valkey: ValkeyServer) -> None:
    for ask in ASKED.values():
        # Given a job that was asked for with either client
        one: Job[Any] = ask(client)
        other: AsyncJob[Any] = await cast("Any", ask)(aio)
        # Then both wait on the same queue, and their messages are the same
        record = one.record()
        bodies = valkey.client.hvals(f"catfeeder:{record.queue}.msgs")
        opened = [client.broker.encoder.open(os.fsencode(body)) for body in bodies]
        sent = {each["message_id"]: (each["actor_name"], each["kwargs"]) for each in opened}
        assert sent[one.id] == sent[other.id]
        assert record.actor in sent[one.id]
        assert (await other.record()).status == record.status == "queued"


async def test_many_wait_without_a_thread_and_on_one_connection(
    aio: AsyncClient, valkey: ValkeyServer, client: Client
) -> None:
    # Given many tasks that ask at once, and wait
    threads = threading.active_count()
    connections = len(valkey.client.client_list())

    async def ask() -> Any:
        job = await aio.hash_password("hunter2", rounds=4)
        asked.append(job.id)
        return await job.result(timeout=60)

    asked: list[str] = []
    tasks = [asyncio.create_task(ask()) for _ in range(MANY)]
    while len(aio._waiter) < MANY:
        assert not [task.exception() for task in tasks if task.done()]
        await asyncio.sleep(0.01)
    # Then there are no more threads, and but few connections
    assert threading.active_count() <= threads
    assert len(valkey.client.client_list()) - connections <= 17
    # And when their jobs end, each gets its own result
    for job_id in asked:
        succeed(client.jobs, job_id, {"password_hash": job_id})
    results = await asyncio.gather(*tasks)
    assert {result["password_hash"] for result in results} == set(asked)
    assert len(aio._waiter) == 0


async def test_each_outcome_has_an_error_of_its_own(aio: AsyncClient, client: Client) -> None:
    # Given a job that does not end, then fails, and one that is cancelled
    job = await aio.hash_password("x")
    with pytest.raises(JobTimeout):
        await job.result(timeout=0.2)
    fail(client.jobs, job.id, JobError("password_too_long", "Long.", permanent=True), utc_now())
    with pytest.raises(JobFailed, match=r"Long\.") as failure:
        await job.result(timeout=0)
    assert (failure.value.code, failure.value.permanent) == ("password_too_long", True)
    other = await aio.hash_password("x")
    assert await other.cancel() is True
    assert await other.cancel() is False
    with pytest.raises(JobCancelled):
        await other.result(timeout=5)
    with pytest.raises(JobExpired):
        await aio.job("unknown").result(timeout=5)


@pytest.mark.parametrize(
    "ask", [lambda aio: aio.authorize("google"), lambda aio: aio.access_token("id")]
)
async def test_a_verb_over_http_asks_for_an_api_url(
    aio: AsyncClient, client: Client, ask: Callable[[Any], Awaitable[Any]]
) -> None:
    with pytest.raises(ApiNotGiven, match="give connect\\(\\) the service's api_url"):
        await ask(aio)
    with pytest.raises(ApiNotGiven):
        ask(client)


async def test_a_server_that_is_away_is_unreachable(queue_key: str) -> None:
    async with catfeeder.connect_async("unix:///nowhere/valkey.sock", queue_key) as away:
        with pytest.raises(QueueUnreachable):
            await away.hash_password("x")
        with pytest.raises(QueueUnreachable):
            await away.job("id").result(timeout=1)
        with pytest.raises(QueueUnreachable):
            await away.job("id").cancel()


async def test_a_task_that_loses_a_cancellation_is_cancelled_again() -> None:
    async def listen() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        await asyncio.sleep(60)

    # Given a task that forgets it once, as it does when redis has just sent
    listening = asyncio.create_task(listen())
    await asyncio.sleep(0)
    # Then it is ended all the same
    await asyncio.wait_for(cancel_and_wait(listening), 30)
    assert listening.cancelled()


async def test_closing_ends_every_wait(settings: Settings, queue_key: str) -> None:
    async with catfeeder.connect_async(settings.required_redis_url(), queue_key) as closing:
        job = await closing.hash_password("x")
        waiting = asyncio.create_task(job.result(timeout=30))
        await asyncio.sleep(0.2)
    with pytest.raises(JobTimeout):
        await asyncio.wait_for(waiting, 20)
