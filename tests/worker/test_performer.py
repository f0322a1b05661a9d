"""The process that performs, as the Procfile starts it and as Dramatiq's own command does."""

from __future__ import annotations

import psutil
import pytest

from actors.providers.config.settings import list_providers
from catfeeder.client import Client
from catfeeder.clock import utc_now
from catfeeder.errors import JobFailed
from catfeeder.messages import HASH_PASSWORD, SHUT_DOWN
from catfeeder.queue.broker import build_message, build_queued_job
from catfeeder.queue.jobs.store import JobStatus
from tests.stack.processes import ProcfileProcess
from tests.waiting import wait_until
from tests.worker.conftest import PERFORM, StartPerformer

READY = "Ready for the messages of passwords."
DRAMATIQS = "dramatiq worker.performer --verbose --processes 1"


@pytest.mark.parametrize("command", [PERFORM, DRAMATIQS])
@pytest.mark.usefixtures("tables")
def test_it_performs_the_messages_of_its_queues_and_prints_no_secret(
    client: Client, service: Client, start: StartPerformer, command: str
) -> None:
    # Given a performer of passwords that prints all it can
    performer = start("passwords", command=command)
    # When jobs come that succeed, fail as foreseen, fail unexpectedly, or are not for it
    hashed = client.hash_password("canary-1").result(timeout=60)["password_hash"]
    checked = client.check_password("canary-1", hashed)
    refused = client.hash_password("canary-2" * 10)
    broken = client.enqueue(HASH_PASSWORD, password="canary-3", nonsense="canary-4")
    elsewhere = service.enqueue(SHUT_DOWN, generation=1)
    # Then each ends as it should
    assert checked.result(timeout=60) == {"valid": True, "needs_rehash": False}
    for job in (refused, broken):
        with pytest.raises(JobFailed):
            job.result(timeout=60)
    assert elsewhere.record().status is JobStatus.QUEUED
    # And the log leads to the job that broke, without showing what came with any
    assert performer.stop() == 0
    printed = performer.output
    assert f"(job {refused.id}) with expected exception PasswordTooLong" in printed
    assert f"(job {broken.id!r}) from queue passwords: Its arguments are not those" in printed
    assert "canary-" not in printed
    assert hashed not in printed


@pytest.mark.parametrize("command", [PERFORM, DRAMATIQS])
@pytest.mark.usefixtures("tables")
def test_presets_of_the_environment_are_known_without_a_web_process(
    environment: dict[str, str], start: StartPerformer, command: str
) -> None:
    environment["GITHUB_CLIENT_ID"] = "app"
    start("oauth", command=command)
    wait_until(lambda: [each["name"] for each in list_providers()] == ["github"])


@pytest.mark.usefixtures("tables")
def test_a_job_in_hand_ends_before_the_process_does(client: Client, start: StartPerformer) -> None:
    # Given a performer that has begun a hash of a second or so
    performer = start("passwords")
    wait_until(lambda: READY in performer.output)
    job = client.hash_password("correct horse battery", rounds=13)
    wait_until(lambda: job.record().status is not JobStatus.QUEUED)
    # When it is stopped
    assert performer.stop() == 0
    # Then the job has ended well
    assert job.record().status is JobStatus.SUCCEEDED


@pytest.mark.usefixtures("tables")
def test_it_emits_the_schedule_when_asked_to(client: Client, start: StartPerformer) -> None:
    # Given a performer of passwords that keeps the schedule
    performer = start("passwords", command=f"{PERFORM} --schedule")
    # Then what is due stands on its queue, and the process ends as well as any
    wait_until(lambda: client.broker.depth("control") > 0)
    assert performer.stop() == 0
    # And without being asked it does not
    client.redis.flushall()
    other = start("passwords")
    wait_until(lambda: READY in other.output)
    assert other.stop() == 0
    assert client.broker.depth("control") == 0


@pytest.mark.usefixtures("tables")
def test_a_process_that_hashes_passwords_loads_no_tables(
    client: Client, start: StartPerformer
) -> None:
    # Given a performer of passwords and one of other queues, each at work
    hashing = start("passwords")
    other = start("control")
    client.hash_password("correct horse battery", rounds=10).result(timeout=60)
    wait_until(lambda: "Ready" in other.output)
    # Then only the latter holds the library of SQLite
    assert "_sqlite3" in mapped_files(other)
    assert "_sqlite3" not in mapped_files(hashing)


def mapped_files(performer: ProcfileProcess) -> str:
    maps = psutil.Process(performer.process.pid).memory_maps()
    return " ".join(mapped.path for mapped in maps)


@pytest.mark.usefixtures("tables")
def test_unreadable_bytes_are_set_aside_in_a_process_too(
    client: Client, start: StartPerformer
) -> None:
    client.redis.hset("catfeeder:passwords.msgs", "bad", b"canary-5")
    client.redis.rpush("catfeeder:passwords", "bad")
    message = build_message(HASH_PASSWORD, {"password": "canary-6"})
    client.broker.enqueue(message, job=build_queued_job(message, utc_now()))
    performer = start("passwords")
    wait_until(lambda: client.job(message.message_id).record().status.is_final)
    wait_until(lambda: client.redis.zcard("catfeeder:passwords.XQ") == 2)
    performer.stop()
    assert "Set aside 'bad' from queue passwords" in performer.output
    assert "canary-" not in performer.output


@pytest.mark.usefixtures("tables")
def test_a_setting_that_cannot_be_used_is_named_in_one_sentence(
    environment: dict[str, str], start: StartPerformer
) -> None:
    environment["REDIS_URL"] = "ftp://example.com"

    performer = start("passwords")
    assert performer.process.wait(60) == 1
    assert "REDIS_URL is not a URL of a Redis server" in performer.output
    assert "Traceback" not in performer.output


@pytest.mark.parametrize("queue", ["passwords", "control"])
@pytest.mark.usefixtures("settings")
def test_a_database_without_tables_is_named_too(start: StartPerformer, queue: str) -> None:
    performer = start(queue)
    assert performer.process.wait(60) == 1
    assert "python -m worker migrate" in performer.output
