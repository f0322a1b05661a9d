"""A Redis without memory: it takes no more jobs, and workers do those that it has."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from actors.queue.dead_letters import DeadLetters
from catfeeder.client import Client
from catfeeder.errors import JobFailed, QueueUnreachable
from catfeeder.messages import HASH_PASSWORD, PASSWORDS
from tests.conftest import StartWorker
from tests.servers import ValkeyServer
from worker.consuming.broker import ConsumingBroker
from worker.consuming.in_flight.messages import MAX_WORKER_DEATHS


@pytest.fixture
def full(client: Client, valkey: ValkeyServer) -> Iterator[ValkeyServer]:
    """A server that takes a job no more, from when the test has set its memory."""
    yield valkey
    valkey.client.config_set("maxmemory", 0)
    assert client.hash_password("hunter2")


def fill(server: ValkeyServer) -> None:
    server.client.config_set("maxmemory", 1)


def test_what_was_accepted_is_done(
    client: Client, start_worker: StartWorker, full: ValkeyServer
) -> None:
    # Given two jobs, of which one will fail, and no memory for a third
    hashed, failing = client.hash_password("hunter2"), client.enqueue(HASH_PASSWORD, x=1)
    fill(full)
    with pytest.raises(QueueUnreachable, match="out of memory"):
        client.hash_password("hunter2")
    # When a worker is started, or goes on
    worker = start_worker()
    # Then both are done, the callers learn it, and the queue leaves nothing behind
    assert hashed.result(timeout=60)["password_hash"].startswith("$2b$")
    with pytest.raises(JobFailed):
        failing.result(timeout=60)
    worker.join()
    assert DeadLetters(client.broker).counts(PASSWORDS) == {"unknown_message": 1}
    assert full.client.hlen(f"catfeeder:{PASSWORDS}.msgs") == 0


def test_what_a_dead_worker_held_goes_to_another(
    client: Client, broker: ConsumingBroker, full: ValkeyServer
) -> None:
    # Given a worker with a message in flight
    job = client.hash_password("hunter2")
    message = next(broker.consume(PASSWORDS))
    assert message is not None
    redis_message_id = message.options["redis_message_id"]
    fill(full)
    # When it is found dead, then the message goes back, and that is noted
    assert broker.in_flight.requeue_from_dead_worker(broker.broker_id) == 1
    [found] = broker.in_flight.fetch("another", PASSWORDS, 1, [])
    assert (found.id.decode(), found.worker_deaths) == (redis_message_id, 1)
    # And so is that it is on its last trial
    broker.in_flight.record_isolated_attempt(redis_message_id)
    broker.in_flight.requeue("another", PASSWORDS, [redis_message_id])
    [found] = broker.in_flight.fetch("another", PASSWORDS, 1, [])
    assert found.worker_deaths == MAX_WORKER_DEATHS
    assert job.cancel()
