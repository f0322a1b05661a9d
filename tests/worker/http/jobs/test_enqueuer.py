"""Batching enqueuer: many requests' jobs in few round trips, each with its own outcome."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from catfeeder.client import Client
from catfeeder.errors import MessageTooLarge, QueueUnreachable
from catfeeder.messages import (
    CHECK_PASSWORD,
    HASH_PASSWORD,
    RENEW_CONNECTION,
    REVOKE_CONNECTION,
    MessageType,
)
from catfeeder.queue.jobs.store import JobRecord, JobStatus
from catfeeder.queue.requester import requester
from catfeeder.sealing import Secret
from tests.worker.http.broken_broker import cut_off
from worker.http.errors.refusals import QueueOverloaded
from worker.http.jobs.enqueuer import BatchingEnqueuer

pytestmark = pytest.mark.anyio
_ARGUMENTS = {"password": Secret("hunter2"), "rounds": None}


def _refuse_renewals(
    message_type: MessageType, app: str, _arguments: Mapping[str, Any], *, may_ask: bool
) -> int | None:
    assert app == "default"
    if message_type is CHECK_PASSWORD and not may_ask:
        return None
    if message_type is RENEW_CONNECTION:
        raise QueueOverloaded
    return 7


@pytest.fixture
def client(service: Client) -> Client:
    """The shim's own, which seals with the service's key."""
    return service


@pytest.fixture
def enqueuer(client: Client) -> Iterator[BatchingEnqueuer]:
    """An enqueuer that takes everything but renewals."""
    made = BatchingEnqueuer(client.redis, client.broker.encoder, _refuse_renewals)
    yield made
    made.close()


def _commands(client: Client) -> int:
    """Return how many batches or single commands the server was sent, by its count of reads."""
    return int(client.redis.info("stats")["total_reads_processed"])


async def test_a_job_is_there_when_it_is_answered(
    enqueuer: BatchingEnqueuer, client: Client
) -> None:
    job = await enqueuer.send(HASH_PASSWORD, _ARGUMENTS)

    assert client.job(job.id).record() == job
    assert (job.actor, job.queue, job.status) == ("hash_password", "passwords", JobStatus.QUEUED)
    assert client.broker.depth("passwords") == 1
    # And its cost waits with it
    assert client.broker.read_backlog("passwords") == {"default": 7}


async def test_requests_at_once_share_a_round_trip(
    enqueuer: BatchingEnqueuer, client: Client
) -> None:
    # Given a connection that is made, and many who ask at the same moment
    await enqueuer.send(HASH_PASSWORD, _ARGUMENTS)
    before = _commands(client)
    jobs = await asyncio.gather(*(enqueuer.send(HASH_PASSWORD, _ARGUMENTS) for _ in range(50)))

    # Then each has a job of its own, and all went together
    assert len({job.id for job in jobs}) == 50
    assert client.broker.depth("passwords") == 51
    assert _commands(client) - before < 10


async def test_one_that_is_too_large_holds_up_no_other(enqueuer: BatchingEnqueuer) -> None:
    large = {"password": Secret("x" * 300_000), "rounds": None}
    sent = [enqueuer.send(HASH_PASSWORD, arguments) for arguments in (_ARGUMENTS, large)]
    outcomes = await asyncio.gather(*sent, return_exceptions=True)

    assert [type(outcome) for outcome in outcomes] == [JobRecord, MessageTooLarge]


async def test_one_that_cannot_be_written_holds_up_no_other(enqueuer: BatchingEnqueuer) -> None:
    unwritable = {"password": object(), "rounds": None}
    sent = [enqueuer.send(HASH_PASSWORD, arguments) for arguments in (unwritable, _ARGUMENTS)]
    outcomes = await asyncio.gather(*sent, return_exceptions=True)

    assert [type(outcome) for outcome in outcomes] == [TypeError, JobRecord]


async def test_one_that_is_refused_holds_up_no_other(
    enqueuer: BatchingEnqueuer, client: Client
) -> None:
    asked = [HASH_PASSWORD, RENEW_CONNECTION, HASH_PASSWORD]
    sent = [enqueuer.send(message_type, {}) for message_type in asked]
    outcomes = await asyncio.gather(*sent, return_exceptions=True)

    assert [type(outcome) for outcome in outcomes] == [JobRecord, QueueOverloaded, JobRecord]
    assert client.broker.depth("passwords") == 2
    assert client.broker.depth("oauth") == 0


async def test_one_of_which_redis_must_be_asked_holds_up_no_other(
    enqueuer: BatchingEnqueuer, client: Client
) -> None:
    sent = [enqueuer.send(message_type, {}) for message_type in (HASH_PASSWORD, CHECK_PASSWORD)]
    assert [job.actor for job in await asyncio.gather(*sent)] == ["hash_password", "check_password"]
    # And it was counted once
    assert client.broker.read_backlog("passwords") == {"default": 14}


async def test_a_server_that_has_forgotten_the_scripts_takes_each_job_once(
    enqueuer: BatchingEnqueuer, client: Client
) -> None:
    await enqueuer.send(HASH_PASSWORD, _ARGUMENTS)
    client.redis.script_flush()
    await asyncio.gather(*(enqueuer.send(HASH_PASSWORD, _ARGUMENTS) for _ in range(3)))
    assert client.broker.depth("passwords") == 4


async def test_an_error_of_one_message_fails_that_message_alone(
    enqueuer: BatchingEnqueuer, client: Client
) -> None:
    # Given a queue that something else stands in the place of
    client.redis.set("catfeeder:oauth", "not a list")
    asked = [HASH_PASSWORD, REVOKE_CONNECTION, HASH_PASSWORD]
    sent = [enqueuer.send(message_type, {}) for message_type in asked]
    outcomes = await asyncio.gather(*sent, return_exceptions=True)

    assert [type(outcome) for outcome in outcomes] == [JobRecord, QueueUnreachable, JobRecord]


async def test_a_server_without_memory_takes_nothing(
    enqueuer: BatchingEnqueuer, client: Client
) -> None:
    client.redis.config_set("maxmemory", "1")
    try:
        with pytest.raises(QueueUnreachable):
            await enqueuer.send(HASH_PASSWORD, _ARGUMENTS)
    finally:
        client.redis.config_set("maxmemory", "0")


async def test_a_broker_that_hangs_is_asked_once_for_all_waiting_requests(client: Client) -> None:
    # Given a broker that answers nobody
    asked = []

    def hang(
        message_type: MessageType, _app: str, _arguments: Mapping[str, Any], *, may_ask: bool
    ) -> int | None:
        if not may_ask:
            return None
        asked.append(message_type)
        hung.set()
        assert may_go_on.wait(60)
        raise QueueUnreachable

    hung, may_go_on = threading.Event(), threading.Event()
    enqueuer = BatchingEnqueuer(client.redis, client.broker.encoder, hang)
    # When some ask at once, and others while these wait
    first = [asyncio.create_task(enqueuer.send(HASH_PASSWORD, _ARGUMENTS)) for _ in range(3)]
    await asyncio.to_thread(hung.wait, 60)
    later = [asyncio.create_task(enqueuer.send(HASH_PASSWORD, _ARGUMENTS)) for _ in range(3)]
    await asyncio.sleep(0)
    may_go_on.set()
    outcomes = await asyncio.gather(*first, *later, return_exceptions=True)
    # Then all are told by the one look
    assert [type(outcome) for outcome in outcomes] == [QueueUnreachable] * 6
    assert len(asked) == 1
    enqueuer.close()


async def test_without_a_broker_each_request_fails(
    enqueuer: BatchingEnqueuer, client: Client
) -> None:
    cut_off(client)
    sent = [enqueuer.send(HASH_PASSWORD, _ARGUMENTS) for _ in range(3)]

    outcomes = await asyncio.gather(*sent, return_exceptions=True)

    assert [type(outcome) for outcome in outcomes] == [QueueUnreachable] * 3


async def test_each_message_names_its_own_requester(
    enqueuer: BatchingEnqueuer, client: Client
) -> None:
    async def ask(name: str) -> None:
        requester.set(name)
        await enqueuer.send(HASH_PASSWORD, _ARGUMENTS)

    await asyncio.gather(ask("first"), ask("second"))

    bodies = client.redis.hvals("catfeeder:passwords.msgs")
    options = [client.broker.encoder.open(body)["options"] for body in bodies]  # type: ignore[arg-type]
    assert sorted(option["requester"] for option in options) == ["first", "second"]
