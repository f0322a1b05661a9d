"""Admission control: what would wait too long is refused by what the workers report."""

from __future__ import annotations

import httpx
import pytest

from catfeeder.messages import (
    HASH_PASSWORD,
    OAUTH,
    PASSWORDS,
    RENEW_OATHS,
    REVOKE_CONNECTION,
    MessageType,
)
from catfeeder.queue.broker import MAX_QUEUE_LENGTH
from config import Settings, load_settings
from tests.worker.http.answers import assert_problem
from worker.http.errors.refusals import QueueOverloaded
from worker.http.jobs.admission import AdmissionControl, WorkerThroughputs
from worker.http.shim import Shim


@pytest.fixture
def two_hands() -> Settings:
    """Two processes for passwords of ten rounds, and one for OAuth."""
    return load_settings({}, {"Processes": {"passwords": 2, "oauth": 1}})


def _refused(admission: AdmissionControl, message_type: MessageType) -> str | None:
    """Return the Retry-After of a refusal, or None where the message passes."""
    try:
        admission.refuse_excess(message_type)
    except QueueOverloaded as refusal:
        return refusal.headers["Retry-After"]
    return None


def nobody() -> WorkerThroughputs:
    return ()


@pytest.mark.parametrize(
    ("depth", "retry_after"),
    # Two hands that take a fifth of a second each do 200 hashes in a third of the minute's age.
    [(0, None), (199, None), (200, "2"), (300, "12"), (6000, "42")],
)
def test_a_queue_takes_what_workers_can_do_in_time(
    two_hands: Settings, depth: int, retry_after: str | None
) -> None:
    assert (
        _refused(AdmissionControl(two_hands, lambda _: depth, nobody), HASH_PASSWORD) == retry_after
    )


@pytest.mark.parametrize(
    ("paces", "longest"),
    [
        # All machines' workers are counted, whatever config.toml says of this one.
        ([{PASSWORDS: 20.0}, {PASSWORDS: 10.0}, {OAUTH: 900.0}], 600),
        # Who has not hashed yet is as fast as the others.
        ([{PASSWORDS: 10.0}, {PASSWORDS: None}], 400),
        # And while nobody has, the estimate stands.
        ([{PASSWORDS: None}, {OAUTH: 900.0}], 200),
    ],
)
def test_the_limit_follows_the_throughputs_that_workers_report(
    two_hands: Settings, paces: WorkerThroughputs, longest: int
) -> None:
    assert (
        _refused(AdmissionControl(two_hands, lambda _: longest - 1, lambda: paces), HASH_PASSWORD)
        is None
    )
    assert (
        _refused(AdmissionControl(two_hands, lambda _: longest, lambda: paces), HASH_PASSWORD)
        == "2"
    )


def test_throughputs_are_read_once_a_second(two_hands: Settings) -> None:
    now, told = [100.0], [10.0, 1.0]
    admission = AdmissionControl(
        two_hands, lambda _: 199, lambda: [{PASSWORDS: told.pop(0)}], lambda: now[0]
    )
    assert _refused(admission, HASH_PASSWORD) is None
    now[0] += 0.9
    assert _refused(admission, HASH_PASSWORD) is None
    now[0] += 0.2
    assert _refused(admission, HASH_PASSWORD) is not None


def test_more_rounds_take_longer() -> None:
    # Given a server whose hashes are four times as dear
    dear = load_settings({}, {"Processes": {"passwords": 2}, "Passwords": {"rounds": 12}})
    # Then a quarter of the queue is too much
    assert _refused(AdmissionControl(dear, lambda _: 49, nobody), HASH_PASSWORD) is None
    assert _refused(AdmissionControl(dear, lambda _: 50, nobody), HASH_PASSWORD) is not None


@pytest.mark.parametrize("message_type", [REVOKE_CONNECTION, RENEW_OATHS])
def test_a_message_that_may_come_late_passes_a_full_queue(
    two_hands: Settings, message_type: MessageType
) -> None:
    assert (
        _refused(AdmissionControl(two_hands, lambda _: MAX_QUEUE_LENGTH, nobody), message_type)
        is None
    )


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
