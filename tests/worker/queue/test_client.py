"""The service's own way onto the queue: the queue key is that of SECRET_KEY, old ones open."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from catfeeder.client import Client
from catfeeder.errors import CatFeederError
from config import ConfigurationError, Settings
from tests.conftest import StartWorker
from tests.jobs import succeed
from worker.process.build import build_broker
from worker.process.perform import stop_worker
from worker.queue.client import connect_queue

OTHER_KEY = "another-secret-key-that-is-long-enough"


@pytest.fixture
def changed(settings: Settings) -> Settings:
    """The settings after a change of SECRET_KEY."""
    previous = (settings.required_secret_key(),)
    return dataclasses.replace(settings, secret_key=OTHER_KEY, previous_secret_keys=previous)


@pytest.fixture
def connect() -> Iterator[Callable[[Settings], Client]]:
    """Connect with settings; whatever the test does, the connection is closed."""
    clients: list[Client] = []

    def connect(settings: Settings) -> Client:
        clients.append(connect_queue(settings))
        return clients[-1]

    yield connect
    for client in clients:
        client.close()


def test_the_service_reads_what_another_app_asked_for(
    settings: Settings, client: Client, connect: Callable[[Settings], Client]
) -> None:
    job = client.hash_password("x")
    succeed(client.jobs, job.id, "a result")

    assert connect(settings).job(job.id).result(timeout=0) == "a result"


def test_results_of_before_a_change_of_secret_key_are_read_after_it(
    settings: Settings, changed: Settings, connect: Callable[[Settings], Client]
) -> None:
    # Given a job that ended before SECRET_KEY was changed
    before = connect(settings)
    job = before.hash_password("x")
    succeed(before.jobs, job.id, "a result")

    # Then its result is read afterwards
    after = connect(changed)
    assert after.job(job.id).result(timeout=0) == "a result"
    # And one that ends now is sealed with the new key, which the old one does not open
    later = after.hash_password("x")
    succeed(after.jobs, later.id, "a result")
    with pytest.raises(CatFeederError):
        before.job(later.id).result(timeout=0)


@pytest.mark.usefixtures("tables")
def test_messages_of_before_a_change_of_secret_key_are_performed_after_it(
    changed: Settings,
    client: Client,
    connect: Callable[[Settings], Client],
    start_worker: StartWorker,
) -> None:
    # Given a message that was sealed before SECRET_KEY was changed
    job = client.hash_password("x")

    # When a worker that was started afterwards finds it
    with closing(build_broker(changed)) as broker:
        worker = start_worker(broker=broker)
        result = connect(changed).job(job.id).result(timeout=60)
        stop_worker(worker, 60)

    # Then it has performed it
    assert result["password_hash"].startswith("$2b$")
    # And the app reads that with the key it has
    assert job.result(timeout=0) == result


def test_without_a_secret_key_there_is_no_way_onto_the_queue(settings: Settings) -> None:
    with pytest.raises(ConfigurationError, match="SECRET_KEY is not set"):
        connect_queue(dataclasses.replace(settings, secret_key=None))
