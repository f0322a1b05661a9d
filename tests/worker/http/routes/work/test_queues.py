"""The queues over HTTP: what waits, what failed without what it holds, and sending it anew."""

from __future__ import annotations

import json
from typing import Any

import bcrypt
import dramatiq
import httpx
import pytest

import catfeeder
from actors.queue.dead_letters import DeadLetters
from catfeeder.client import Client
from catfeeder.messages import HASH_PASSWORD, OAUTH, PASSWORDS, QUEUES, RENEW_CONNECTION
from catfeeder.queue.broker import build_message
from catfeeder.sealing import Secret
from config import Settings
from models.db.database import hold_connection
from tests.conftest import StartWorker, derive_app_key
from tests.models.rows import stored_connection
from tests.waiting import wait_until
from tests.worker.http.answers import assert_problem
from worker.queue.report import QueueName

PATH = "/v1/queues"


def test_each_queue_has_a_name() -> None:
    assert tuple(QueueName) == QUEUES


def test_waiting_messages_are_counted(http: httpx.Client, client: Client) -> None:
    client.hash_password("hunter2")
    client.hash_password("hunter2")
    described = {item.pop("queue"): item for item in http.get(PATH).json()["items"]}
    assert list(described) == list(QUEUES)
    assert 0 <= described["passwords"].pop("oldest_seconds") < 60
    idle = {"workers": 0, "per_second": 0, "done_per_second": 0}
    nobody: dict[str, Any] = {**idle, "dead_letters": {}, "paused": False, "paused_at": None}
    assert described["passwords"] == {"messages": 2, **nobody}
    assert described["control"] == {"messages": 0, "oldest_seconds": None, **nobody}


def test_workers_are_counted(http: httpx.Client, client: Client, worker: dramatiq.Worker) -> None:
    assert worker
    client.hash_password("hunter2", rounds=4).result(timeout=60)

    def passwords() -> dict[str, float]:
        found: dict[str, float] = http.get(PATH).json()["items"][0]
        return found

    wait_until(lambda: passwords()["workers"] == 1)
    wait_until(lambda: passwords()["per_second"] > passwords()["done_per_second"] > 0)


def test_a_paused_queue_is_not_worked_off_until_it_is_resumed(
    http: httpx.Client, client: Client, worker: dramatiq.Worker
) -> None:
    # Given a worker, and a queue that the operator has paused, twice
    assert worker
    first = http.post(f"{PATH}/passwords/pause").json()
    assert (first["paused"], first["queue"]) == (True, "passwords")
    assert http.post(f"{PATH}/passwords/pause").json()["paused_at"] == first["paused_at"]
    # Then a job waits, another queue's is done, and everyone sees why
    waiting = client.hash_password("hunter2", rounds=4)
    refused = client.user_info("house", access_token="x")
    wait_until(lambda: refused.record().status.is_final)
    assert waiting.record().status == "queued"
    assert client.broker.depth(PASSWORDS) == 1
    health = http.get("/health").json()
    assert (health["status"], health["paused"]) == ("degraded", ["passwords"])
    assert 'catfeeder_queue_paused{queue="passwords"} 1.0' in http.get("/metrics").text
    # When it is resumed, twice
    for _ in range(2):
        assert http.post(f"{PATH}/passwords/resume").json()["paused"] is False
    # Then the job is done without a poll interval, and the trail has each deed once
    assert waiting.result(timeout=60)["password_hash"].startswith("$2b$04$")
    assert http.get("/health").json()["paused"] == []
    events = http.get("/v1/events").json()["items"]
    deeds = [(one["kind"], one["detail"], one["key_id"], one["app"]) for one in events]
    of_queue = {"queue": "passwords"}
    assert deeds == [
        ("queue_resumed", of_queue, "admin", "default"),
        ("queue_paused", of_queue, "admin", "default"),
    ]
    # And the queue of the schedule and the shutdown is never paused
    assert_problem(http.post(f"{PATH}/control/pause"), 409, "queue_not_pausable")
    assert http.post(f"{PATH}/birds/pause").status_code == 422


def test_failed_messages_are_listed_and_replayed(
    http: httpx.Client, client: Client, start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a job that failed unexpectedly, and bytes that nobody knows
    def fail(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(bcrypt, "hashpw", fail)
    start_worker()
    failed = client.hash_password("hunter2", rounds=4)
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
    assert letters["internal_error"]["job_id"] == failed.id
    assert letters["unreadable_message"]["detail"].startswith("Its header is not")
    assert rest["next_cursor"] is None
    assert "hunter2" not in json.dumps([first, rest])
    # And the one that can be performed is, once more
    answer = http.post(f"{PATH}/passwords/replay", json={})
    assert answer.json() == {
        "replayed": [letters["internal_error"]["id"]],
        "left": [letters["unreadable_message"]["id"]],
    }
    wait_until(lambda: len(DeadLetters(client.broker).ids(PASSWORDS)) == 2)
    # And the numbers tell of them
    metrics = http.get("/metrics").text
    line = 'catfeeder_dead_letters{queue="passwords",reason="unreadable_message"} 1.0'
    assert line in metrics
    assert 'catfeeder_queue_oldest_seconds{queue="passwords"}' in metrics
    # Until they are discarded
    ids = DeadLetters(client.broker).ids(PASSWORDS)
    answer = http.post(f"{PATH}/passwords/discard", json={})
    assert answer.json() == {"discarded": ids, "unknown": []}
    assert DeadLetters(client.broker).ids(PASSWORDS) == []


def test_a_dead_letter_names_the_provider_of_its_connection(
    http: httpx.Client, client: Client
) -> None:
    # Given a dead renewal of a connection
    with hold_connection():
        connection = stored_connection("alice", provider="house")
    message = build_message(RENEW_CONNECTION, {"connection_id": connection.id})
    message = message.copy(options={"redis_message_id": "x"})
    body = client.broker.encoder.encode(message.asdict())
    DeadLetters(client.broker).add(OAUTH, "a", "renewal_broken", body)
    # Then the operator sees which it was
    [letter] = http.get(f"{PATH}/oauth/dead-letters").json()["items"]
    assert (letter["provider"], letter["connection_ids"]) == ("house", [connection.id])
    assert letter["app"] == "default"


def test_dead_letters_are_those_of_an_app_with_its_header(
    http: httpx.Client, service: Client, settings: Settings
) -> None:
    # Given letters of two apps that were sealed with their keys, and one of a request over HTTP
    assert http.post("/v1/apps", json={"id": "shop"}).status_code == 201
    senders = {"http": service}
    for app in ("default", "shop"):
        key = derive_app_key(settings, app, 1).to_text()
        senders[app] = catfeeder.connect(settings.required_redis_url(), key)
    for name, sender in senders.items():
        message = build_message(HASH_PASSWORD, {"password": Secret("hunter2"), "rounds": 4})
        message = message.copy(options={"redis_message_id": name})
        body = sender.broker.encoder.encode(message.asdict())
        DeadLetters(sender.broker).add(PASSWORDS, name, "internal_error", body)
        sender.close()
    path, shop = f"{PATH}/passwords", {"Catfeeder-App": "shop"}

    def listed(**headers: str) -> set[str]:
        found = http.get(f"{path}/dead-letters", params={"limit": 2}, headers=headers).json()
        return {letter["id"] for letter in found["items"]}

    # Then the operator sees all, and those of one app with its header, on a page of its own
    assert len(listed()) == 2
    assert listed(**{"Catfeeder-App": "shop"}) == {"shop"}
    assert listed(**{"Catfeeder-App": "default"}) == {"http", "default"}
    # And what is done for one app is done to its own, whether they are named or not
    named = http.post(f"{path}/discard", json={"ids": ["http", "shop"]}, headers=shop).json()
    assert named == {"discarded": ["shop"], "unknown": ["http"]}
    named = http.post(f"{path}/replay", json={"ids": ["http"]}, headers=shop).json()
    assert named == {"replayed": [], "left": ["http"]}
    for deed, done in (("replay", "replayed"), ("discard", "discarded")):
        assert http.post(f"{path}/{deed}", json={}, headers=shop).json()[done] == []
    assert set(http.post(f"{path}/replay", json={}).json()["replayed"]) == {"http", "default"}


def test_a_replay_of_what_is_not_there_says_so(http: httpx.Client) -> None:
    answer = http.post(f"{PATH}/control/replay", json={"ids": ["nothing"]})
    assert answer.json() == {"replayed": [], "left": ["nothing"]}
    answer = http.post(f"{PATH}/control/discard", json={"ids": ["nothing"]})
    assert answer.json() == {"discarded": [], "unknown": ["nothing"]}


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
