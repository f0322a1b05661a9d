"""Admission control: what would wait too long is refused by what the workers report."""

from __future__ import annotations

import httpx
import pytest

from catfeeder.messages import (
    CHECK_PASSWORD,
    HASH_PASSWORD,
    OAUTH,
    PASSWORDS,
    RENEW_CONNECTION,
    RENEW_OATHS,
    MessageType,
)
from config import Settings, load_settings
from tests.worker.http.answers import assert_problem
from worker.consuming.middleware.throughput import CoreMeter
from worker.http.errors.refusals import QueueOverloaded
from worker.http.jobs.admission import AdmissionControl, WorkRates
from worker.http.jobs.backlogs import BacklogCache
from worker.http.shim import Shim

#: What a hash of ten rounds costs.
TEN = 1024


@pytest.fixture
def two_hands() -> Settings:
    """Two processes for passwords of ten rounds, and one for OAuth."""
    return load_settings({}, {"Processes": {"passwords": 2, "oauth": 1}})


def _admission(
    settings: Settings, hashes: int | dict[str, int], rates: WorkRates = ()
) -> AdmissionControl:
    """Return one before which so many hashes of ten rounds wait, of `shop` or by app."""
    waiting = hashes if isinstance(hashes, dict) else {"shop": hashes}
    backlog = {app: count * TEN for app, count in waiting.items()}
    return AdmissionControl(settings, lambda _: backlog, lambda: rates)


def _refused(
    admission: AdmissionControl, message_type: MessageType = HASH_PASSWORD, **arguments: object
) -> str | None:
    """Return the Retry-After of a refusal, or None where the message passes."""
    try:
        admission.admit(message_type, "shop", arguments)
    except QueueOverloaded as refusal:
        return refusal.headers["Retry-After"]
    return None


@pytest.mark.parametrize(
    ("hashes", "retry_after"),
    # Two hands that take a fifth of a second each do 200 hashes in a third of the minute's age.
    [(0, None), (199, None), (200, "2"), (300, "12"), (6000, "42")],
)
def test_a_queue_takes_what_workers_can_do_in_time(
    two_hands: Settings, hashes: int, retry_after: str | None
) -> None:
    assert _refused(_admission(two_hands, hashes)) == retry_after


@pytest.mark.parametrize(
    ("rates", "longest"),
    [
        # All machines' workers are counted, whatever config.toml says of this one.
        ([{PASSWORDS: 20.0 * TEN}, {PASSWORDS: 10.0 * TEN}, {OAUTH: 900.0}], 600),
        # A worker that has not hashed yet is as fast as the others.
        ([{PASSWORDS: 10.0 * TEN}, {PASSWORDS: None}], 400),
        # And while nobody has, the estimate stands.
        ([{PASSWORDS: None}, {OAUTH: 900.0}], 200),
    ],
    ids=["machines", "new", "none"],
)
def test_the_limit_follows_the_speed_that_workers_report(
    two_hands: Settings, rates: WorkRates, longest: int
) -> None:
    assert _refused(_admission(two_hands, longest - 1, rates)) is None
    assert _refused(_admission(two_hands, longest, rates)) == "2"


def test_speeds_are_read_once_a_second(two_hands: Settings) -> None:
    now, told = [100.0], [10.0 * TEN, 1.0 * TEN]
    admission = AdmissionControl(
        two_hands, lambda _: {"shop": 199 * TEN}, lambda: [{PASSWORDS: told.pop(0)}], lambda: now[0]
    )
    assert _refused(admission) is None
    now[0] += 0.9
    assert _refused(admission) is None
    now[0] += 0.2
    assert _refused(admission) is not None


@pytest.mark.parametrize(
    ("message_type", "arguments", "cost"),
    [
        (HASH_PASSWORD, {"rounds": None}, TEN),
        (HASH_PASSWORD, {"rounds": 16}, 64 * TEN),
        (CHECK_PASSWORD, {"password": "x", "password_hash": None}, TEN),
        (CHECK_PASSWORD, {"password": "x", "password_hash": f"$2b$16${'a' * 53}"}, 64 * TEN),
        # An outdated hash is renewed; a password of two forms is compared in both.
        (CHECK_PASSWORD, {"password": "x", "password_hash": None, "rehash": True}, 2 * TEN),
        (CHECK_PASSWORD, {"password": "e\u0301", "password_hash": None}, 2 * TEN),
        # What is refused without a hash, and what waits for no core.
        (CHECK_PASSWORD, {"password": "x", "password_hash": "$2b$31$" + "a" * 53}, 1),
        (HASH_PASSWORD, {"rounds": 99}, 1),
        (RENEW_CONNECTION, {"connection_id": "x"}, 1),
    ],
    ids=[
        *("usual", "dear", "dummy", "dear-hash", "rehash", "two-forms", "too-slow", "out-of-range"),
        "renewal",
    ],
)
def test_a_job_is_weighed_by_its_cost(
    two_hands: Settings, message_type: MessageType, arguments: dict[str, object], cost: int
) -> None:
    assert _admission(two_hands, 0).admit(message_type, "shop", arguments) == cost


def test_dear_jobs_fill_the_queue_sooner(two_hands: Settings) -> None:
    # Given time for 200 hashes of ten rounds, then it is full after four of sixteen
    admission = _admission(two_hands, 0)
    refused = [_refused(admission, rounds=16) for _ in range(6)]
    assert refused[:4] == [None] * 4
    assert None not in refused[4:]


def test_no_app_is_refused_for_what_another_has_asked_for(two_hands: Settings) -> None:
    # Given an app that has asked for all that can be done in time, then another one is served
    assert _refused(_admission(two_hands, {"flood": 1000})) is None
    # And has its share while both ask: half of what it may have alone
    assert _refused(_admission(two_hands, {"flood": 1000, "shop": 99})) is None
    assert _refused(_admission(two_hands, {"flood": 1000, "shop": 100})) is not None


def test_a_message_of_the_schedule_always_passes(two_hands: Settings) -> None:
    assert _refused(_admission(two_hands, 10**9), RENEW_OATHS) is None


def test_a_backlog_is_as_old_as_its_reader_takes_it() -> None:
    now, asked = [100.0], []

    def read(queue: str) -> dict[str, int]:
        asked.append(queue)
        return {"shop": 5}

    backlogs = BacklogCache(read, lambda: now[0])
    assert backlogs.get("one", 1) == {"shop": 5}
    # What is sent meanwhile is added
    backlogs.add("one", "shop", 2)
    backlogs.add("one", "bot", 1)
    now[0] += 0.11
    assert backlogs.get("one", 1) == {"shop": 7, "bot": 1}
    assert backlogs.get("two", 1) == {"shop": 5}
    assert backlogs.get("one", 0.1) == {"shop": 5}
    assert asked == ["one", "two", "one"]


def test_a_queue_that_fills_is_looked_at_more_often(two_hands: Settings) -> None:
    # Given a queue that may hold 200 hashes, of which others have sent some since it was looked at
    now, waiting, looks = [100.0], [0], [0]

    def look(_: str) -> dict[str, int]:
        looks[0] += 1
        return {"shop": waiting[0] * TEN}

    admission = AdmissionControl(two_hands, look, lambda: (), lambda: now[0])
    assert admission.admit(HASH_PASSWORD, "shop", {}, may_ask=False) is None
    assert _refused(admission) is None
    waiting[0] = 1000
    # When it was all but empty, then what it said holds for a second, and none need be asked
    assert admission.admit(HASH_PASSWORD, "shop", {}, may_ask=False) == TEN
    now[0] += 0.9
    assert [_refused(admission) for _ in range(17)] == [None] * 17
    assert looks == [1]
    # But no longer than a moment once this process itself has sent a tenth of what it may hold
    assert _refused(admission) is None
    assert admission.admit(HASH_PASSWORD, "shop", {}, may_ask=False) is None
    assert _refused(admission) is not None
    assert looks == [2]


def test_a_core_is_measured_by_the_work_of_its_busy_time() -> None:
    now = [0.0]
    core = CoreMeter(1000.0, lambda: now[0])
    assert (core.work_per_second, core.messages_per_second) == (1000.0, None)
    # Given dear messages of five seconds that share the core with cheap ones, and long pauses
    for _ in range(20):
        core.begin()
        for _ in range(10):
            core.begin()
            now[0] += 0.5
            core.end(cost=500)
        core.end(cost=5_000)
        now[0] += 1000
    # Then a busy second has done 2,000, and 2.2 messages
    assert core.work_per_second == pytest.approx(2000, rel=0.2)
    assert core.messages_per_second == pytest.approx(2.2, rel=0.2)


def test_an_overloaded_queue_is_answered_with_429(http: httpx.Client, shim: Shim) -> None:
    # Given more in the queue than can be done within a minute
    shim.client.redis.hset("catfeeder:passwords.backlog", "default", 100_000 * TEN)
    # When a hash is asked for
    answer = http.post("/v1/passwords/hash", json={"password": "correct horse battery"})
    # Then the caller is told when to come back, and nothing was added
    assert_problem(answer, 429, "queue_overloaded")
    assert int(answer.headers["Retry-After"]) > 0
    assert shim.client.broker.depth("passwords") == 0
    # And the other queue goes on
    assert http.get("/health").status_code == 200
    body = {"refresh_token": "x"}
    http.put("/v1/providers/google", json={"preset": "google", "client_id": "a"})
    assert http.post("/v1/oauth/google/refresh", json=body).status_code == 202
