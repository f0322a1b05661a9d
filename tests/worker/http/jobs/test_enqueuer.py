"""The outbox: many requests' jobs in few round trips, each with an outcome of its own."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator

import pytest

from catfeeder.client import Client
from catfeeder.errors import QueueUnreachable
from catfeeder.jobs import JobRecord, JobStatus
from catfeeder.messages import HASH_PASSWORD, RENEW_CONNECTION, REVOKE_CONNECTION, MessageType
from catfeeder.requester import requester
from catfeeder.sealing import Secret
from tests.worker.http.broken_broker import cut_off
from worker.http.errors.refusals import QueueOverloaded
from worker.http.jobs.enqueuer import BatchingEnqueuer

pytestmark = pytest.mark.anyio
_ARGUMENTS = {"password": Secret("hunter2"), "rounds": None}


def _refuse_renewals(message_type: MessageType) -> None:
    if message_type is RENEW_CONNECTION:
        raise QueueOverloaded


@pytest.fixture
def depths() -> dict[str, int]:
    """What the outbox has told of the queues."""
    return {}


@pytest.fixture
def enqueuer(client: Client, depths: dict[str, int]) -> Iterator[BatchingEnqueuer]:
    """An outbox that takes everything but renewals."""
    made = BatchingEnqueuer(
        client.redis, client.broker.encoder, _refuse_renewals, depths.__setitem__
    )
    yield made
    made.close()


def _commands(client: Client) -> int:
    """Return how many batches or single commands the server was sent, by its count of reads."""
    return int(client.redis.info("stats")["total_reads_processed"])


async def test_a_job_is_there_when_it_is_answered(
    enqueuer: BatchingEnqueuer, client: Client, depths: dict[str, int]
) -> None:
    job = await enqueuer.send(HASH_PASSWORD, _ARGUMENTS)

    assert client.job(job.id).record() == job
    assert (job.actor, job.queue, job.status) == ("hash_password", "passwords", JobStatus.QUEUED)
    assert client.broker.depth("passwords") == 1
    # And nobody need ask how long the queue is now
    assert depths == {"passwords": 1}


async def test_those_who_ask_at_once_share_a_round_trip(
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


async def test_one_that_is_refused_holds_up_no_other(
    enqueuer: BatchingEnqueuer, client: Client
) -> None:
    asked = [HASH_PASSWORD, RENEW_CONNECTION, HASH_PASSWORD]
    sent = [enqueuer.send(message_type, {}) for message_type in asked]
    outcomes = await asyncio.gather(*sent, return_exceptions=True)

    assert [type(outcome) for outcome in outcomes] == [JobRecord, QueueOverloaded, JobRecord]
    assert client.broker.depth("passwords") == 2
    assert client.broker.depth("oauth") == 0


async def test_what_the_server_refuses_is_told_to_whom_it_concerns(
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


async def test_a_broker_that_hangs_is_asked_once_for_all_who_wait(client: Client) -> None:
    # Given a broker that answers nobody
    asked = []

    def hang(message_type: MessageType) -> None:
        asked.append(message_type)
        hung.set()
        assert may_go_on.wait(60)
        raise QueueUnreachable

    hung, may_go_on = threading.Event(), threading.Event()
    depths: dict[str, int] = {}
    enqueuer = BatchingEnqueuer(client.redis, client.broker.encoder, hang, depths.__setitem__)
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


async def test_without_a_broker_everybody_is_told_so(
    enqueuer: BatchingEnqueuer, client: Client
) -> None:
    cut_off(client)
    sent = [enqueuer.send(HASH_PASSWORD, _ARGUMENTS) for _ in range(3)]

    outcomes = await asyncio.gather(*sent, return_exceptions=True)

    assert [type(outcome) for outcome in outcomes] == [QueueUnreachable] * 3


async def test_who_goes_away_takes_no_other_along(enqueuer: BatchingEnqueuer) -> None:
    leaving = asyncio.create_task(enqueuer.send(HASH_PASSWORD, _ARGUMENTS))
    staying = asyncio.create_task(enqueuer.send(HASH_PASSWORD, _ARGUMENTS))
    await asyncio.sleep(0)

    leaving.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await leaving

    assert (await staying).status is JobStatus.QUEUED


async def test_each_goes_in_the_name_of_who_asked(
    enqueuer: BatchingEnqueuer, client: Client
) -> None:
    async def ask(name: str) -> None:
        requester.set(name)
        await enqueuer.send(HASH_PASSWORD, _ARGUMENTS)

    await asyncio.gather(ask("first"), ask("second"))

    bodies = client.redis.hvals("catfeeder:passwords.msgs")
    options = [client.broker.encoder.open(body)["options"] for body in bodies]  # type: ignore[arg-type]
    assert sorted(option["requester"] for option in options) == ["first", "second"]
