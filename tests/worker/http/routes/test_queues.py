"""The queues over HTTP: what waits, what failed without what it holds, and sending it anew."""

from __future__ import annotations

import json

import dramatiq
import httpx
import pytest

from actors.queue.dead_letters import DeadLetters
from catfeeder.client import Client
from catfeeder.messages import PASSWORDS, QUEUES
from tests.waiting import wait_until
from tests.worker.http.answers import assert_problem
from worker.http.schemas.queues import QueueName

PATH = "/v1/queues"


def test_each_queue_has_a_name() -> None:
    assert tuple(QueueName) == QUEUES


def test_waiting_messages_are_counted(http: httpx.Client, client: Client) -> None:
    client.hash_password("hunter2")
    client.hash_password("hunter2")
    described = {item.pop("queue"): item for item in http.get(PATH).json()["items"]}
    assert list(described) == list(QUEUES)
    assert 0 <= described["passwords"].pop("oldest_seconds") < 60
    nobody = {"workers": 0, "per_second": 0, "dead_letters": {}}
    assert described["passwords"] == {"messages": 2, **nobody}
    assert described["control"] == {"messages": 0, "oldest_seconds": None, **nobody}


def test_workers_are_counted(http: httpx.Client, client: Client, worker: dramatiq.Worker) -> None:
    assert worker
    client.hash_password("hunter2", rounds=4).result(timeout=60)

    def passwords() -> dict[str, float]:
        found: dict[str, float] = http.get(PATH).json()["items"][0]
        return found

    wait_until(lambda: passwords()["workers"] == 1)
    wait_until(lambda: passwords()["per_second"] > 0)


def test_failed_messages_are_listed_and_replayed(
    http: httpx.Client, client: Client, worker: dramatiq.Worker
) -> None:
    # Given a job that failed, and bytes that nobody knows
    assert worker
    failed = client.hash_password("hunter2" * 20)
    wait_until(lambda: failed.record().status.is_final)
    client.redis.hset(f"catfeeder:{PASSWORDS}.msgs", "bad", b"hunter2")
    client.redis.rpush(f"catfeeder:{PASSWORDS}", "bad")
    wait_until(lambda: len(DeadLetters(client.broker).ids(PASSWORDS)) == 2)
    # When the operator pages through them
    first = http.get(f"{PATH}/passwords/dead-letters", params={"limit": 1}).json()
    rest = http.get(
        f"{PATH}/passwords/dead-letters", params={"limit": 1, "cursor": first["next_cursor"]}
    ).json()
    letters = {letter["reason"]: letter for letter in first["items"] + rest["items"]}
    # Then each is there with its reason
    assert letters["password_too_long"]["job_id"] == failed.id
    assert letters["unreadable_message"]["detail"] == "It was not sealed with our queue key."
    assert rest["next_cursor"] is None
    assert "hunter2" not in json.dumps([first, rest])
    # And the one that can be performed is, once more
    answer = http.post(f"{PATH}/passwords/replay", json={})
    assert answer.json() == {
        "replayed": [letters["password_too_long"]["id"]],
        "left": [letters["unreadable_message"]["id"]],
    }
    wait_until(lambda: failed.record().status.is_final)
    # And the numbers tell of them
    metrics = http.get("/metrics").text
    line = 'catfeeder_dead_letters{queue="passwords",reason="unreadable_message"} 1.0'
    assert line in metrics
    assert 'catfeeder_queue_oldest_seconds{queue="passwords"}' in metrics


def test_a_replay_of_what_is_not_there_says_so(http: httpx.Client) -> None:
    answer = http.post(f"{PATH}/control/replay", json={"ids": ["nothing"]})
    assert answer.json() == {"replayed": [], "left": ["nothing"]}


@pytest.mark.parametrize(
    ("method", "path", "options", "code"),
    [
        ("GET", "/birds/dead-letters", {}, "invalid_request"),
        ("POST", "/birds/replay", {"json": {}}, "invalid_request"),
        ("POST", "/oauth/replay", {"json": {"ids": ["x"] * 1001}}, "invalid_request"),
    ],
)
def test_what_makes_no_sense_is_refused(
    http: httpx.Client, method: str, path: str, options: dict[str, object], code: str
) -> None:
    answer = http.request(method, f"{PATH}{path}", **options)  # type: ignore[arg-type]
    assert_problem(answer, 422, code)
