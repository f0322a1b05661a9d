"""Queues, dead letters and jobs in the console: seen, paused, replayed, discarded, cancelled."""

from __future__ import annotations

import bcrypt
import httpx
import pytest

from actors.queue.dead_letters import DeadLetters
from catfeeder.client import Client
from catfeeder.messages import HASH_PASSWORD, PASSWORDS
from catfeeder.queue.broker import build_message
from catfeeder.sealing import Secret
from tests.conftest import StartWorker
from tests.waiting import wait_until
from tests.worker.http.visits import act

_LETTERS = "/console/queues/passwords/dead-letters"
_PASSWORD = "hunter2 and more"


def _add_letter(client: Client, name: str, reason: str) -> None:
    message = build_message(HASH_PASSWORD, {"password": Secret(_PASSWORD), "rounds": 4})
    message = message.copy(options={"redis_message_id": name})
    body = client.broker.encoder.encode(message.asdict())
    DeadLetters(client.broker).add(PASSWORDS, name, reason, body)


def _last_event(http: httpx.Client) -> tuple[str, str | None, dict[str, object]]:
    event = http.get("/v1/events", params={"limit": 1}).json()["items"][0]
    return event["kind"], event["key_id"], event["detail"]


def test_a_queue_is_paused_and_resumed(
    operator: httpx.Client, http: httpx.Client, client: Client
) -> None:
    # Given a queue on which a job waits
    client.hash_password(_PASSWORD)
    page = operator.get("/console/queues")
    assert "no worker" in page.text
    assert "/console/queues/control/pause" not in page.text
    # When it is paused, and resumed
    for action, kind in (("pause", "queue_paused"), ("resume", "queue_resumed")):
        page = act(operator, page, f"/console/queues/passwords/{action}")
        # Then the page says so, and the audit trail by which key
        assert f"The queue is {action}d" in page.text
        assert _last_event(http) == (kind, "admin", {"queue": "passwords"})
    # And the queue that carries the schedule is not paused
    assert act(operator, page, "/console/queues/control/pause").status_code == 409


def test_dead_letters_are_replayed_or_discarded_one_by_one(
    operator: httpx.Client,
    http: httpx.Client,
    client: Client,
    start_worker: StartWorker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given a job that broke unexpectedly, which an empty page leads to
    def fail(*_: object) -> None:
        raise RuntimeError

    assert "No dead letter" in operator.get(_LETTERS).text
    monkeypatch.setattr(bcrypt, "hashpw", fail)
    start_worker()
    failed = client.hash_password(_PASSWORD, rounds=4)
    wait_until(lambda: failed.record().status.is_final)
    wait_until(lambda: DeadLetters(client.broker).ids(PASSWORDS))
    # When its page is opened
    page = operator.get(f"/console/jobs/{failed.id}")
    # Then it says why, what to do, and nothing of what it was given
    assert "internal_error" in page.text
    assert "The workers&#39; log has the traceback" in page.text
    assert _PASSWORD not in page.text
    # And its dead letter is sent anew from there, with an event
    [letter_id] = DeadLetters(client.broker).ids(PASSWORDS)
    page = act(operator, page, f"{_LETTERS}/{letter_id}/replay")
    assert "They are sent anew" in page.text
    detail = {"queue": "passwords", "count": 1, "ids": [letter_id]}
    assert _last_event(http) == ("dead_letters_replayed", "admin", detail)
    # And one that is gone is said to be left
    assert "Some were left" in act(operator, page, f"{_LETTERS}/gone/discard").text


def test_all_dead_letters_that_match_are_meant_by_their_count(
    operator: httpx.Client, http: httpx.Client, client: Client
) -> None:
    # Given letters of two reasons
    for name in ("a", "b"):
        _add_letter(client, name, "internal_error")
    _add_letter(client, "c", "kills_workers")
    listed = operator.get(_LETTERS, params={"reason": "internal_error"})
    assert listed.text.count('/discard"') == 2
    assert "reason=internal_error" in listed.text
    # When all of one reason are to be discarded, and another dies meanwhile
    path = f"{_LETTERS}/all/discard?reason=internal_error"
    asked = operator.get(path)
    assert "Discard 2" in asked.text
    _add_letter(client, "d", "internal_error")
    again = act(operator, asked, path, count="2")
    # Then nothing is done, and it is asked anew with the count of now
    assert again.status_code == 409
    assert "Discard 3" in again.text
    assert len(DeadLetters(client.broker).ids(PASSWORDS)) == 4
    # And once that is confirmed, those alone are gone
    act(operator, again, path, count="3")
    assert DeadLetters(client.broker).ids(PASSWORDS) == ["c"]
    kind, key_id, detail = _last_event(http)
    assert (kind, key_id, detail["count"]) == ("dead_letters_discarded", "admin", 3)


def test_jobs_are_listed_found_and_cancelled(operator: httpx.Client, http: httpx.Client) -> None:
    # Given an empty list, which says what would stand there; then two jobs that wait
    assert "No job in the last hour" in operator.get("/console/jobs").text
    asked = {"password": _PASSWORD, "rounds": 10}
    job = http.post("/v1/passwords/hash", json=asked).json()
    checked = {"password": _PASSWORD, "password_hash": None}
    other = http.post("/v1/passwords/check", json=checked).json()
    # When they are filtered, or one is looked for by its id
    listed = operator.get("/console/jobs", params={"actor": "hash_password", "status": "queued"})
    assert f"/console/jobs/{job['id']}" in listed.text
    assert f"/console/jobs/{other['id']}" not in listed.text
    page = operator.get("/console/jobs", params={"q": job["id"]})
    # Then its page tells its state, live, and not what it was given
    assert page.url.path == f"/console/jobs/{job['id']}"
    assert "It waits for a worker." in page.text
    assert f'data-live="/console/jobs/{job["id"]}/live"' in page.text
    assert _PASSWORD not in page.text
    # And it can be cancelled, once, which is on record
    page = act(operator, page, f"/console/jobs/{job['id']}/cancel")
    assert "The job is cancelled" in page.text
    assert "data-live" not in page.text
    of_job = {"job_id": job["id"], "actor": "hash_password"}
    assert _last_event(http) == ("job_cancelled", "admin", of_job)
    assert http.delete(f"/v1/jobs/{job['id']}").json()["status"] == "cancelled"
    assert len(http.get("/v1/events", params={"kind": "job_cancelled"}).json()["items"]) == 1
