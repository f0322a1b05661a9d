"""The client for threads: it asks for jobs, waits for them, and returns or raises their outcome."""

from __future__ import annotations

import dataclasses
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import redis

import catfeeder
from catfeeder.client import Client, Job
from catfeeder.clock import utc_now
from catfeeder.errors import (
    InvalidQueueKey,
    JobCancelled,
    JobExpired,
    JobFailed,
    JobTimeout,
    MessageTooLarge,
    QueueUnreachable,
)
from catfeeder.messages import RENEW_OATHS
from catfeeder.queue.jobs.store import JobError, JobStore
from catfeeder.queue.keys import AppKey
from catfeeder.queue.redis.connection import connect_redis
from catfeeder.sealing import Key
from tests.jobs import fail, succeed
from tests.servers import ValkeyServer
from tests.waiting import wait_until
from worker.consuming.broker import ConsumingBroker

KEY = AppKey("default", 1, Key(b"k" * 32)).to_text()
CANARY = "canary-hunter2"

#: Every job whose request carries a secret.
SECRET_JOBS: list[Callable[[Client], Job[Any]]] = [
    lambda client: client.hash_password(CANARY),
    lambda client: client.hash_password(CANARY.encode()),
    lambda client: client.check_password(CANARY, CANARY),
    lambda client: client.exchange_code("google", CANARY, CANARY),
    lambda client: client.user_info("google", access_token=CANARY),
    lambda client: client.refresh_token("google", CANARY),
]


@pytest.mark.parametrize("ask", SECRET_JOBS)
def test_a_secret_is_neither_on_the_queue_nor_printed_where_it_arrives(
    client: Client, broker: ConsumingBroker, valkey: ValkeyServer, ask: Callable[[Client], Job[Any]]
) -> None:
    record = ask(client).record()
    hashes = [key for key in valkey.key_names() if key.endswith(".msgs") or ":job:" in key]
    values = [os.fsencode(value) for key in hashes for value in valkey.client.hvals(key)]
    assert len(values) > 2
    assert not [value for value in values if CANARY.encode() in value]
    assert record.status == "queued"
    assert CANARY not in str(next(broker.consume(record.queue)))


def test_a_job_is_known_by_its_id_to_a_client_with_the_key(
    client: Client, queue_key: str, valkey: ValkeyServer
) -> None:
    job = client.hash_password("x")
    with catfeeder.connect(valkey.url, queue_key) as other:
        assert other.job(job.id).record() == job.record()


def test_a_message_that_is_no_job_has_no_record(client: Client) -> None:
    sweep = client.enqueue(RENEW_OATHS)
    with pytest.raises(JobExpired):
        sweep.record()


def test_the_result_of_a_job_that_has_ended_is_there_at_once(client: Client) -> None:
    job = client.hash_password("x")
    succeed(client.jobs, job.id, {"password_hash": "$2b$…"})
    assert job.result(timeout=0) == {"password_hash": "$2b$…"}
    assert job.result(timeout=0) == {"password_hash": "$2b$…"}


def test_a_wait_ends_with_its_job(client: Client) -> None:
    job: Job[Any] = client.hash_password("x")
    ends = threading.Timer(0.3, succeed, [client.jobs, job.id, "a result"])
    began = time.monotonic()
    ends.start()
    assert job.result(timeout=60) == "a result"
    assert time.monotonic() - began > 0.29
    ends.join()


def count_waits(client: Client) -> int:
    """Return how often the server was asked to wait for an end."""
    statistics: Any = client.redis.info("commandstats")
    return int(statistics.get("cmdstat_blmove", {"calls": 0})["calls"])


def test_a_job_that_ended_long_before_it_was_waited_for_is_looked_up(client: Client) -> None:
    # Given a job whose end is no longer announced
    job: Job[Any] = client.hash_password("x")
    assert job.queued is not None
    job.queued = dataclasses.replace(job.queued, enqueued_at=utc_now() - timedelta(seconds=20))
    succeed(client.jobs, job.id, "a result")
    client.redis.delete(f"catfeeder:ended:{job.id}")
    # When its result is asked for, then it is looked up without waiting for an announcement
    before = count_waits(client)
    assert job.result(timeout=60) == "a result"
    assert count_waits(client) == before


def test_a_missed_announcement_costs_one_poll_interval(client: Client) -> None:
    client.jobs = JobStore(client.redis, client.broker.encoder.sealer, poll_interval=0.1)
    job: Job[Any] = client.hash_password("x")
    succeed(client.jobs, job.id, "a result")
    client.redis.delete(f"catfeeder:ended:{job.id}")
    assert job.result(timeout=60) == "a result"


def test_more_threads_wait_than_redis_py_has_connections(client: Client) -> None:
    job = client.hash_password("hunter2")
    all_there = threading.Barrier(120)

    def wait() -> None:
        all_there.wait(60)
        with pytest.raises(JobTimeout):
            job.result(timeout=0.5)

    with ThreadPoolExecutor(120) as threads:
        for waiting in [threads.submit(wait) for _ in range(120)]:
            waiting.result()


def test_a_message_that_is_too_large_is_not_sent(client: Client) -> None:
    # Given the most that the service takes over HTTP, then it is sent
    client.check_password("\U0001f63a" * (64 * 1024 // 4), "x")
    with pytest.raises(MessageTooLarge):
        client.hash_password("x" * 256 * 1024)
    assert client.broker.depth("passwords") == 1


def test_each_outcome_has_an_error_of_its_own(client: Client) -> None:
    # Given a job that does not end, then fails
    job = client.hash_password("x" * 73)
    began = time.monotonic()
    with pytest.raises(JobTimeout):
        job.result(timeout=0.2)
    assert 0.15 < time.monotonic() - began < 20
    error = JobError("password_too_long", "It has 73 bytes.", permanent=True)
    fail(client.jobs, job.id, error, utc_now())
    with pytest.raises(JobFailed, match=r"It has 73 bytes\.") as failure:
        job.result(timeout=0)
    assert (failure.value.code, failure.value.permanent) == ("password_too_long", True)
    # And one that is cancelled, and one that is unknown
    other, unknown = client.hash_password("x"), client.job("unknown")
    assert [other.cancel(), other.cancel(), unknown.cancel()] == [True, False, False]
    with pytest.raises(JobCancelled):
        other.result(timeout=0)
    with pytest.raises(JobExpired):
        unknown.result(timeout=0)


@pytest.mark.parametrize("key", ["", "hunter2", "k" * 42, "k" * 44])
def test_a_bad_key_is_refused_before_anything_is_sent(key: str) -> None:
    with pytest.raises(InvalidQueueKey):
        catfeeder.connect("redis://127.0.0.1:1", key)


def test_a_server_that_is_away_shows_at_the_first_call() -> None:
    away = catfeeder.connect("unix:///nowhere/valkey.sock", KEY)
    with pytest.raises(QueueUnreachable):
        away.hash_password("x")
    with pytest.raises(QueueUnreachable):
        away.job("id").result(timeout=1)
    with pytest.raises(QueueUnreachable):
        away.broker.depth("control")


def test_a_key_of_another_service_reads_nothing(client: Client, valkey: ValkeyServer) -> None:
    job = client.hash_password("x")
    succeed(client.jobs, job.id, "a result")
    with catfeeder.connect(valkey.url, KEY) as stranger, pytest.raises(catfeeder.CatFeederError):
        stranger.job(job.id).result(timeout=0)


def test_with_two_keys_the_results_of_either_are_read(
    client: Client, queue_key: str, valkey: ValkeyServer
) -> None:
    # Given jobs of a service before and after its SECRET_KEY was changed
    job = client.hash_password("x")
    succeed(client.jobs, job.id, "a result")
    with (
        catfeeder.connect(valkey.url, KEY) as changed,
        catfeeder.connect(valkey.url, f"{queue_key},{KEY}") as both,
    ):
        later = changed.hash_password("x")
        succeed(changed.jobs, later.id, "a later result")
        # When an app that holds both keys asks, then it reads both
        results = [both.job(each.id).result(timeout=0) for each in (job, later)]
        assert results == ["a result", "a later result"]
        # And what it sends is sealed with the first
        valkey.client.delete("catfeeder:passwords.msgs")
        sent = both.hash_password("y")
    [body] = valkey.client.hvals("catfeeder:passwords.msgs")
    assert client.broker.encoder.open(os.fsencode(body))["message_id"] == sent.id


@pytest.mark.parametrize("connect", [catfeeder.connect, catfeeder.connect_async])
def test_a_client_waits_less_long_for_redis_than_a_worker(connect: Callable[..., Any]) -> None:
    def reply_timeout(client: Any) -> float:
        kwargs = (getattr(client, "redis", None) or client._redis).connection_pool.connection_kwargs
        return float(kwargs["socket_timeout"])

    url, key = "redis://redis.example/0", KEY
    assert reply_timeout(connect(url, key)) == 5
    assert reply_timeout(connect(f"{url}?socket_timeout=2", key)) == 2
    assert connect_redis(url).connection_pool.connection_kwargs["socket_timeout"] == 15


def test_no_command_is_tried_twice(valkey: ValkeyServer) -> None:
    # Given a client whose server does not answer in time
    with connect_redis(f"{valkey.url}?socket_timeout=0.2") as hasty:
        hasty.incr("sent")
        # When it sends a command
        with valkey.frozen(), pytest.raises(redis.TimeoutError):
            hasty.incr("sent")
    # Then the server has it once, though not in time
    wait_until(lambda: valkey.client.get("sent") == b"2")
    time.sleep(0.1)
    assert valkey.client.get("sent") == b"2"
