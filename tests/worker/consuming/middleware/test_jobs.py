"""Job records: a job starts once, ends once, and its result outlives an outage of the broker."""

from __future__ import annotations

import dataclasses
from typing import Any

import bcrypt
import pytest
from dramatiq import Message, MessageProxy
from dramatiq.middleware import SkipMessage

from actors.passwords.errors import PasswordTooLong
from catfeeder.client import Client, Job
from catfeeder.clock import utc_now
from catfeeder.errors import JobFailed, QueueUnreachable
from catfeeder.messages import CLEAN_VERIFICATION, HASH_PASSWORD, SHUT_DOWN
from catfeeder.queue.broker import build_message, build_queued_job
from catfeeder.queue.jobs.store import JobError, JobStatus, JobStore
from catfeeder.sealing import Secret
from models.db.database import database, hold_connection
from models.db.errors import DatabaseUnreachable
from models.server import begin_boot, is_stopping
from tests.conftest import StartWorker
from tests.jobs import start
from tests.servers import ValkeyServer
from tests.waiting import wait_until
from worker.consuming.broker import ConsumingBroker
from worker.consuming.middleware.jobs import JobEndings, JobResults, to_job_error


def send(client: Client, message: Message[Any]) -> Job[Any]:
    """Send a message as the client does, with whatever is unusual about it."""
    client.broker.enqueue(message, job=build_queued_job(message, utc_now()))
    return client.job(message.message_id)


def has_ended(job: Job[Any]) -> bool:
    return job.record().status.is_final


def owed(valkey: ValkeyServer) -> list[str]:
    return [key for key in valkey.key_names() if "__acks__" in key or key.endswith(".msgs")]


def test_a_job_records_when_it_started_and_ended(client: Client, start_worker: StartWorker) -> None:
    before = utc_now()
    job = client.hash_password("hunter2")
    start_worker()
    wait_until(lambda: has_ended(job))
    record = job.record()
    assert record.status is JobStatus.SUCCEEDED
    assert record.started_at is not None
    assert record.finished_at is not None
    assert before <= record.enqueued_at <= record.started_at <= record.finished_at <= utc_now()
    assert record.result["password_hash"].startswith("$2b$")


def test_a_cancelled_job_is_never_begun(
    service: Client, valkey: ValkeyServer, start_worker: StartWorker
) -> None:
    # Given a job to stop the service, which was cancelled while it waited
    with hold_connection():
        generation = begin_boot(utc_now())
    job = service.enqueue(SHUT_DOWN, generation=generation)
    assert job.cancel()
    # When a worker comes to it
    start_worker()
    wait_until(lambda: not owed(valkey))
    # Then it stays as it was, and the service runs on
    record = job.record()
    assert (record.status, record.started_at) == (JobStatus.CANCELLED, None)
    with hold_connection():
        assert not is_stopping(generation)


def test_a_job_that_has_ended_is_not_performed_again(
    client: Client, valkey: ValkeyServer, start_worker: StartWorker
) -> None:
    # Given a job that has ended, and its message delivered once more
    start_worker()
    message = build_message(HASH_PASSWORD, {"password": Secret("hunter2"), "rounds": 4})
    job = send(client, message)
    wait_until(lambda: has_ended(job))
    first = job.record()
    client.broker.enqueue(message)
    wait_until(lambda: not owed(valkey))
    # Then its result, with the salt of the first time, is still the same
    assert job.record() == first


def test_a_job_whose_worker_died_is_performed_anew(
    client: Client, start_worker: StartWorker
) -> None:
    # Given a job that another worker has begun and not ended
    job = client.hash_password("hunter2")
    assert start(client.jobs, job.id, utc_now())
    # When its message comes to this one
    start_worker()
    # Then it is performed
    assert job.result(timeout=60)


@pytest.mark.parametrize("late_seconds", [61, 3600])
def test_a_job_that_waited_too_long_fails_as_outdated(
    client: Client, start_worker: StartWorker, late_seconds: int
) -> None:
    # Given a job that is older than any caller waits
    message = build_message(HASH_PASSWORD, {"password": Secret("hunter2")})
    sent_at = message.message_timestamp - late_seconds * 1000
    late = dataclasses.replace(message, message_timestamp=sent_at)
    job = send(client, late)
    # When a worker comes to it
    start_worker()
    wait_until(lambda: has_ended(job))
    # Then it says that asking again may help, and was never begun
    record = job.record()
    assert record.error is not None
    assert (record.error.code, record.error.permanent) == ("job_outdated", False)
    assert record.started_at is None


def test_an_unforeseen_failure_stays_in_the_log(
    client: Client, start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given an actor that has a fault
    def fail(*_: object) -> None:
        raise RuntimeError("hunter3")

    monkeypatch.setattr(bcrypt, "hashpw", fail)
    job = client.hash_password("hunter2", rounds=4)
    start_worker()
    wait_until(lambda: has_ended(job))
    # Then the caller learns that the log knows
    error = job.record().error
    assert error is not None
    assert (error.code, error.permanent) == ("internal_error", False)
    assert error.detail == "The job failed unexpectedly; the worker's log has the reason."


def test_a_failed_message_is_a_dead_letter_and_not_tried_again(
    client: Client, valkey: ValkeyServer, start_worker: StartWorker
) -> None:
    job = client.enqueue(HASH_PASSWORD, nonsense=True)
    start_worker()
    wait_until(lambda: has_ended(job))
    assert valkey.client.zcard("catfeeder:passwords.XQ") == 1
    assert "catfeeder:passwords.DQ" not in valkey.key_names()


def test_a_refused_job_is_no_dead_letter(
    client: Client, valkey: ValkeyServer, start_worker: StartWorker
) -> None:
    # Given jobs that fail as foreseen: a state that nobody knows, a provider that nobody knows, a
    # password that is too long, and a job that nobody waits for any more
    late = build_message(HASH_PASSWORD, {"password": Secret("hunter2")})
    jobs: list[Job[Any]] = [
        client.exchange_code("house", "a code", "a state:house"),
        client.user_info("house", access_token="a token"),
        client.hash_password("x" * 73),
        send(client, dataclasses.replace(late, message_timestamp=1_600_000_000_000)),
    ]
    # When workers have come to them
    start_worker()
    wait_until(lambda: all(map(has_ended, jobs)))
    # Then each has failed, and no alarm rings
    codes = [error.code for job in jobs if (error := job.record().error)]
    assert codes == ["state_unknown", "provider_unknown", "password_too_long", "job_outdated"]
    wait_until(lambda: not owed(valkey))
    assert not [key for key in valkey.key_names() if ".XQ" in key]


def test_a_job_without_a_database_fails_and_says_so(
    service: Client, start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a database that has been lost since the worker started
    monkeypatch.setattr(database.obj, "database", "/nowhere/catfeeder.sqlite3")
    # When a job needs it
    job = send(service, build_message(SHUT_DOWN, {"generation": 1}))
    start_worker()
    wait_until(lambda: has_ended(job))
    # Then the caller learns what is wrong, and not where the database should be
    error = job.record().error
    assert error is not None
    assert (error.code, error.permanent) == ("database_unreachable", False)
    assert "nowhere" not in error.detail


def test_a_message_of_the_service_itself_has_no_record(
    service: Client, valkey: ValkeyServer, start_worker: StartWorker
) -> None:
    service.broker.enqueue(build_message(CLEAN_VERIFICATION, {}))
    start_worker()
    wait_until(lambda: not owed(valkey))
    assert not [key for key in valkey.key_names() if ":job:" in key]


# -- What a caller may read of an error


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


# -- While the broker is unreachable


def test_a_result_reaches_a_broker_that_was_away(
    broker: ConsumingBroker,
    impatient: JobStore,
    job: Job[Any],
    message: MessageProxy,
    valkey: ValkeyServer,
) -> None:
    # Given a broker that does not answer for a while
    with valkey.frozen_for(0.3):
        # When a message is acknowledged whose job has a result
        endings: JobEndings = {}
        JobResults(impatient, endings, {}).store_result(message, "a result", 0)
        hasty = ConsumingBroker(impatient._client, broker.encoder, [], endings)
        hasty.acknowledge(message.queue_name, message, 0)
    # Then it is stored, though late
    assert job.record().result == "a result"


def test_an_error_reaches_it_too(
    impatient: JobStore, job: Job[Any], message: MessageProxy, valkey: ValkeyServer
) -> None:
    with valkey.frozen_for(0.3):
        JobResults(impatient, {}, {}).store_exception(message, PasswordTooLong(73), 0)
    error = JobError("password_too_long", PasswordTooLong(73).detail, True)
    assert job.record().error == error
