"""What the tests of middleware begin with: a job, its message, and a broker that comes back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from dramatiq import MessageProxy

from catfeeder.client import Client, Job
from catfeeder.messages import HASH_PASSWORD
from catfeeder.queue.broker import build_message
from catfeeder.queue.jobs.store import JobStore
from catfeeder.queue.redis.connection import connect_redis
from catfeeder.queue.requester import SEALED_BY_OPTION
from tests.servers import ValkeyServer
from worker.consuming.broker import ConsumingBroker


@pytest.fixture
def impatient(broker: ConsumingBroker, valkey: ValkeyServer) -> Iterator[JobStore]:
    """A store that does not wait long for the broker."""
    client = connect_redis(valkey.url, reply_timeout=0.1)
    yield JobStore(client, broker.encoder.sealer)
    client.close()


@pytest.fixture
def job(service: Client) -> Job[Any]:
    """A job that waits in its queue."""
    return service.hash_password("hunter2")


@pytest.fixture
def message(job: Job[Any]) -> MessageProxy:
    """Its message."""
    return build_proxy(job)


def build_proxy(job: Job[Any]) -> MessageProxy:
    """Return the message of a job that hashes, as a worker has it."""
    record = job.record()
    options = {"redis_message_id": record.redis_message_id}
    if record.sealed_by and not record.sealed_by.is_service:
        options[SEALED_BY_OPTION] = str(record.sealed_by)
    return MessageProxy(build_message(HASH_PASSWORD, {}).copy(message_id=job.id, options=options))
