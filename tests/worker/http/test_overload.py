"""Overload: what would wait too long is refused before it waits, by an estimate that learns."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from catfeeder.jobs import JobRecord, JobStatus
from catfeeder.messages import (
    EXCHANGE_CODE,
    HASH_PASSWORD,
    RENEW_OATHS,
    REVOKE_CONNECTION,
    MessageType,
)
from config import Settings, load_settings
from tests.worker.http.answers import assert_problem
from worker.http.overload import Overload
from worker.http.refusals import QueueOverloaded
from worker.http.shim import Shim

_NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def two_hands() -> Settings:
    """Two processes for passwords of ten rounds, and one for OAuth."""
    return load_settings({}, {"Processes": {"passwords": 2, "oauth": 1}})


def _refused(overload: Overload, message_type: MessageType) -> str | None:
    """Return the Retry-After of a refusal, or None where the message passes."""
    try:
        overload.refuse_excess(message_type)
    except QueueOverloaded as refusal:
        return refusal.headers["Retry-After"]
    return None


@pytest.mark.parametrize(
    ("depth", "retry_after"),
    # Two hands that take a fifth of a second each do 600 hashes in the minute that one may wait.
    [(0, None), (599, None), (600, "6"), (6000, "60")],
)
def test_a_queue_takes_what_can_be_worked_off_in_time(
    two_hands: Settings, depth: int, retry_after: str | None
) -> None:
    assert _refused(Overload(two_hands, lambda _: depth), HASH_PASSWORD) == retry_after


def test_the_estimate_learns_from_jobs_that_ended(two_hands: Settings) -> None:
    # Given a queue that would be done in time as far as one can know
    overload = Overload(two_hands, lambda _: 500)
    assert _refused(overload, HASH_PASSWORD) is None
    # When jobs take a second each
    for _ in range(50):
        overload.learn(_job(HASH_PASSWORD, timedelta(seconds=1)))
    # Then it would not, and jobs of another queue make no difference to that
    overload.learn(_job(EXCHANGE_CODE, timedelta(0)))
    assert _refused(overload, HASH_PASSWORD) is not None
    # And when they are quick again, it would
    for _ in range(100):
        overload.learn(_job(HASH_PASSWORD, timedelta(milliseconds=100)))
    assert _refused(overload, HASH_PASSWORD) is None


def _job(message_type: MessageType, took: timedelta) -> JobRecord:
    return JobRecord(
        id="job-1",
        actor=message_type.name,
        queue=message_type.queue,
        status=JobStatus.SUCCEEDED,
        enqueued_at=_NOW,
        started_at=_NOW,
        finished_at=_NOW + took,
        result=None,
        error=None,
    )


def test_a_job_that_has_not_ended_teaches_nothing(two_hands: Settings) -> None:
    overload = Overload(two_hands, lambda _: 599)
    running = dataclasses.replace(_job(HASH_PASSWORD, timedelta(hours=1)), finished_at=None)
    for _ in range(100):
        overload.learn(running)
    assert _refused(overload, HASH_PASSWORD) is None


def test_more_rounds_take_longer() -> None:
    # Given a server whose hashes are four times as dear
    dear = load_settings({}, {"Processes": {"passwords": 2}, "Passwords": {"rounds": 12}})
    # Then a quarter of the queue is too much
    assert _refused(Overload(dear, lambda _: 149), HASH_PASSWORD) is None
    assert _refused(Overload(dear, lambda _: 150), HASH_PASSWORD) is not None


@pytest.mark.parametrize("message_type", [REVOKE_CONNECTION, RENEW_OATHS])
def test_what_must_be_done_however_late_always_passes(
    two_hands: Settings, message_type: MessageType
) -> None:
    assert _refused(Overload(two_hands, lambda _: 10**9), message_type) is None


def test_an_overloaded_queue_is_answered_with_429(http: httpx.Client, shim: Shim) -> None:
    # Given more in the queue than can be done within a minute
    shim.client.redis.rpush("catfeeder:passwords", *range(100_000))
    # When a hash is asked for
    answer = http.post("/v1/passwords/hash", json={"password": "correct horse battery"})
    # Then the caller is told when to come back, and nothing was added
    assert_problem(answer, 429, "queue_overloaded")
    assert int(answer.headers["Retry-After"]) > 0
    assert shim.client.broker.depth("passwords") == 100_000
    # And the other queue goes on
    assert http.get("/health").status_code == 200
    body = {"refresh_token": "x"}
    http.put("/v1/providers/google", json={"preset": "google", "client_id": "a"})
    assert http.post("/v1/oauth/google/refresh", json=body).status_code == 202


@pytest.mark.usefixtures("worker")
def test_jobs_that_are_waited_for_teach_the_estimate(http: httpx.Client, shim: Shim) -> None:
    before = shim.overload._job_seconds["passwords"]
    body = {"password": "correct horse battery", "rounds": 12}
    http.post("/v1/passwords/hash", json=body, headers={"Prefer": "wait=20"})
    assert shim.overload._job_seconds["passwords"] > before
