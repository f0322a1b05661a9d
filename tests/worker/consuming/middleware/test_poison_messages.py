"""Poison messages: set aside after the third dead worker, and no other message is blamed."""

from __future__ import annotations

import pytest

from actors.queue.dead_letters import DeadLetters
from catfeeder.client import Client
from catfeeder.clock import utc_now
from catfeeder.errors import JobFailed
from tests.waiting import wait_until
from tests.worker.worker_process import Workers


def test_a_message_that_kills_three_workers_is_set_aside_and_the_service_goes_on(
    client: Client, workers: Workers
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
    letters = DeadLetters(client.broker)
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
