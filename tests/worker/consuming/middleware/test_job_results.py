"""What is told of a failure, and that a result outlives a moment without the broker."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from dramatiq import MessageProxy
from dramatiq.middleware import SkipMessage

from actors.passwords.errors import PasswordTooLong
from catfeeder.broker import assign_redis_id, build_message
from catfeeder.clock import utc_now
from catfeeder.errors import JobFailed, QueueUnreachable
from catfeeder.jobs import JobError, JobStore
from catfeeder.messages import HASH_PASSWORD
from catfeeder.redis_connection import connect_redis
from models.db.errors import DatabaseUnreachable
from tests.jobs import put_job
from tests.servers import ValkeyServer
from worker.consuming.broker import ConsumingBroker
from worker.consuming.middleware.jobs import JobEndings, JobResults, to_job_error


@pytest.mark.parametrize(
    ("exception", "code", "permanent"),
    [
        (PasswordTooLong(73), "password_too_long", True),
        (QueueUnreachable(), "queue_unreachable", False),
        (JobFailed("of_another_job", "It failed.", permanent=True), "of_another_job", True),
        (SkipMessage("Message age limit exceeded"), "job_outdated", False),
        (DatabaseUnreachable("postgresql://user:hunter2@db"), "database_unreachable", False),
        (KeyError("hunter2"), "internal_error", False),
        (SystemExit("hunter2"), "internal_error", False),
    ],
)
def test_an_exception_becomes_an_error_without_secrets(
    exception: BaseException, code: str, permanent: bool
) -> None:
    error = to_job_error(exception)
    assert (error.code, error.permanent) == (code, permanent)
    assert "hunter2" not in error.detail


@pytest.fixture
def patient(broker: ConsumingBroker) -> JobStore:
    """A store that waits for the broker as the service does."""
    return JobStore(broker.client, broker.encoder.sealer)


@pytest.fixture
def message(broker: ConsumingBroker) -> MessageProxy:
    """A message whose job a worker has begun."""
    message = build_message(HASH_PASSWORD, {})
    jobs = JobStore(broker.client, broker.encoder.sealer)
    put_job(broker.client, message.message_id)
    jobs.start(message.message_id, message.actor_name, message.queue_name, utc_now())
    return MessageProxy(assign_redis_id(message))


@pytest.fixture
def jobs(broker: ConsumingBroker, valkey: ValkeyServer) -> Iterator[JobStore]:
    """A store that does not wait long for the broker."""
    client = connect_redis(f"{valkey.url}?socket_timeout=0.1")
    yield JobStore(client, broker.encoder.sealer)
    client.close()


def test_a_result_reaches_a_broker_that_was_away(
    broker: ConsumingBroker,
    jobs: JobStore,
    patient: JobStore,
    message: MessageProxy,
    valkey: ValkeyServer,
) -> None:
    # Given a broker that does not answer for a while
    with valkey.frozen() as thaw:
        thawing = threading.Timer(0.3, thaw)
        thawing.start()
        # When a message is acknowledged whose job has a result
        endings: JobEndings = {}
        JobResults(jobs, endings).store_result(message, "a result", 0)
        hasty = ConsumingBroker(jobs._client, broker.encoder, [], endings)
        hasty.acknowledge(message.queue_name, message.options["redis_message_id"], 0)
        thawing.join()
    # Then it is stored, though late
    record = patient.get(message.message_id)
    assert record is not None
    assert record.result == "a result"


def test_an_error_reaches_it_too(
    jobs: JobStore, patient: JobStore, message: MessageProxy, valkey: ValkeyServer
) -> None:
    with valkey.frozen() as thaw:
        thawing = threading.Timer(0.3, thaw)
        thawing.start()
        JobResults(jobs, {}).store_exception(message, PasswordTooLong(73), 0)
        thawing.join()
    record = patient.get(message.message_id)
    assert record is not None
    assert record.error == JobError("password_too_long", PasswordTooLong(73).detail, True)
