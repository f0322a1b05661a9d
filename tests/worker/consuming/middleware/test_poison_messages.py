"""Poison messages: set aside after the third dead worker, and no other message is blamed."""

from __future__ import annotations

import os
import statistics
import time
from datetime import datetime
from typing import Any

import pytest

from actors.queue.dead_letters import DeadLetters
from catfeeder.client import Client, Job
from catfeeder.clock import utc_now
from catfeeder.errors import JobFailed
from tests.waiting import wait_until
from tests.worker.worker_process import Workers


def test_a_message_that_kills_three_workers_is_set_aside_and_the_service_goes_on(
    client: Client, service: Client, workers: Workers
) -> None:
    # Given a message that kills its worker, among others that are performed beside it
    neighbours = [client.hash_password(f"1 s, number {number}") for number in range(2)]
    poison = client.hash_password("poison")
    # When the worker is replaced each time
    for _ in range(3):
        worker = workers.start(threads=4)
        assert worker.process.wait(100) < 0
    last = workers.start(threads=4)
    # Then it is not tried a fourth time, and its caller gets the reason
    with pytest.raises(JobFailed, match="Three workers ended") as failed:
        poison.result(timeout=100)
    assert failed.value.code == "kills_workers"
    assert last.performed().count("poison") == 3
    # And all others are performed, though they were in flight each time
    assert all(neighbour.result(timeout=100) for neighbour in neighbours)
    assert client.hash_password("0 s").result(timeout=100)
    assert not last.has_ended
    # And the log names it, and it can be counted and looked at
    assert "Set aside" in last.output
    letters = DeadLetters(service.broker)
    assert letters.counts("passwords") == {"kills_workers": 1}
    [kept], _ = letters.page("passwords", None, 10)
    assert (kept.job_id, kept.actor) == (poison.id, "hash_password")


def test_the_third_attempt_runs_alone(client: Client, workers: Workers) -> None:
    # Given two messages that were in flight when two workers died, neither of them to blame
    jobs = [client.hash_password(f"0.5 s, number {number}, try 3") for number in range(2)]
    for ends in (1, 2):
        worker = workers.start(threads=2)
        wait_until(lambda: len(worker.performed()) == 2 * ends)  # noqa: B023
        worker.kill()
    # When a third performs them
    last = workers.start(threads=2)
    # Then each is performed by itself, and neither is set aside
    assert all(job.result(timeout=100) for job in jobs)
    wait_until(lambda: last.output.count("it runs alone") == 2)
    assert "Set aside" not in last.output
    began = [job.record().started_at or utc_now() for job in jobs]
    ended = [job.record().finished_at or utc_now() for job in jobs]
    first, second = sorted(zip(began, ended, strict=True))
    assert first[1] <= second[0]


def suspect(client: Client, count: int) -> list[Job[Any]]:
    """Send messages that two workers have died of, each a third of a second long."""
    jobs = [client.hash_password(f"0.3 s, number {number}") for number in range(count)]
    for redis_message_id in client.redis.lrange("catfeeder:passwords", 0, -1):
        client.redis.set(f"catfeeder:ends:{os.fsdecode(redis_message_id)}", 2)
    return jobs


def test_many_candidates_keep_no_other_message_waiting(client: Client, workers: Workers) -> None:
    # Given more candidates than a worker has threads, and a stream of others behind them
    candidates = suspect(client, 12)
    wait_until(workers.start(threads=4).is_ready)
    others = []
    for number in range(20):
        others.append(client.hash_password(f"0.1 s, other {number}"))
        time.sleep(0.1)
    assert all(job.result(timeout=100) for job in others)
    # Then each candidate ends well, alone in the process
    assert all(job.result(timeout=100) for job in candidates)
    spans = {job.id: span_of(job) for job in [*others, *candidates]}
    # And half of the others waited for one or two of them, not for all that were before them
    begins = [spans[job.id][0] for job in candidates]
    waited_for = [
        sum(job.record().enqueued_at <= began <= spans[job.id][0] for began in begins)
        for job in others
    ]
    assert statistics.median_low(waited_for) <= 2
    # And nothing ran beside a candidate
    for candidate in candidates:
        began, ended = spans.pop(candidate.id)
        assert all(end <= began or ended <= start for start, end in spans.values())


def span_of(job: Job[Any]) -> tuple[datetime, datetime]:
    record = job.record()
    assert record.started_at
    assert record.finished_at
    return record.started_at, record.finished_at


def test_candidates_that_wait_are_put_back_by_a_worker_that_stops(
    client: Client, workers: Workers
) -> None:
    # Given a worker with several candidates, one of which it performs
    candidates = suspect(client, 4)
    worker = workers.start(threads=4)
    wait_until(worker.performed)
    # When it is stopped
    worker.stop()
    # Then another performs the rest, and none is blamed
    workers.start(threads=4)
    assert all(job.result(timeout=100) for job in candidates)
    assert "Set aside" not in worker.output
