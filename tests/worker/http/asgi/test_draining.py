"""Stopping: told by the database within a second, and from then on no new work is taken."""

from __future__ import annotations

import dataclasses
import threading
import time
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from catfeeder.client import Client
from catfeeder.clock import utc_now
from models.db.database import hold_connection
from models.server import begin_boot, begin_supervised_boot, record_ready, record_stop, request_stop
from tests.conftest import ADMIN_API_KEY
from tests.jobs import succeed
from tests.waiting import wait_until
from tests.worker.http.answers import assert_problem
from tests.worker.http.serving import served
from worker.http.app import create_app
from worker.http.asgi.draining import POLL_SECONDS, Draining
from worker.http.shim import Shim

_BODY = {"password": "correct horse battery"}
_POLL_SECONDS = 0.05


@pytest.fixture(autouse=True)
def _poll_often(app: FastAPI, shim: Shim) -> None:
    """Let the process look often for a stop, so that no test waits for it."""
    grace_seconds = shim.settings.server.drain_seconds
    draining = Draining(grace_seconds, shim.waiter.close, _POLL_SECONDS, shim.waiter.reopen)
    app.state.shim = dataclasses.replace(shim, draining=draining)


def _stop(generation: int) -> None:
    with hold_connection():
        assert request_stop(generation)


def _await_stopping(http: httpx.Client) -> None:
    wait_until(lambda: http.get("/health").json()["status"] == "stopping")


def test_a_stop_in_the_database_ends_new_work(http: httpx.Client, generation: int) -> None:
    # Given a job that was taken in
    job = http.post("/v1/passwords/hash", json=_BODY).headers["Location"]
    # When another process writes that this boot is to stop
    _stop(generation)
    # Then this one hears of it
    _await_stopping(http)
    # And takes no new work, whatever kind it is of
    google = {"preset": "google", "client_id": "a", "client_secret": "b"}
    assert http.put("/v1/providers/google", json=google).status_code == 201
    for refused in (
        http.post("/v1/passwords/hash", json=_BODY),
        http.post("/v1/oauth/google/authorize", json={}),
        http.get("/v1/oauth/google/login"),
        http.post("/v1/oauth/google/refresh", json={"refresh_token": "x"}),
    ):
        assert_problem(refused, 503, "server_stopping")
        assert int(refused.headers["Retry-After"]) > 0
    # And yet shows what there is
    assert http.get(job).json()["status"] == "queued"
    assert http.delete(job).json()["status"] == "cancelled"
    assert http.get("/v1/connections").status_code == 200


def test_an_older_boot_may_have_been_stopped(http: httpx.Client, generation: int) -> None:
    # Given that the boot before this one was told to stop
    assert generation == 1
    _stop(generation)
    _await_stopping(http)
    with hold_connection():
        assert begin_boot(utc_now()) == 2
    # When a process of the new boot starts
    with served(create_app()) as url:
        # Then it serves
        assert httpx.get(f"{url}/health").json()["status"] == "degraded"


def test_a_shutdown_that_is_taken_back_ends_by_itself(
    http: httpx.Client, generation: int, caplog: pytest.LogCaptureFixture
) -> None:
    # Given a process under another process manager, and a shutdown
    _stop(generation)
    _await_stopping(http)

    # Then the refusal and the log name the remedy
    refused = http.post("/v1/passwords/hash", json=_BODY)
    assert "python -m worker migrate" in refused.json()["detail"]
    assert f"shut down in boot {generation}" in caplog.text
    assert "python -m worker migrate" in caplog.text

    # And when a boot follows, the process works without a restart, and its next shutdown is heard
    with hold_connection():
        begin_boot(utc_now())
    wait_until(lambda: http.post("/v1/passwords/hash", json=_BODY).status_code == 202)
    _stop(generation + 1)
    _await_stopping(http)


def test_a_supervised_process_stops_and_is_ready_with_its_boot(
    generation: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a process of `make run`, and one of another process manager on the same database
    now = utc_now()
    with hold_connection():
        boot = begin_supervised_boot(now)
    with served(create_app()) as other:
        monkeypatch.setenv("CATFEEDER_BOOT", str(boot))
        with served(create_app()) as url:
            # Then the first is healthy once its supervisor has found all processes ready
            starting = httpx.get(f"{url}/health")
            assert (starting.status_code, starting.json()["status"]) == (503, "starting")
            with hold_connection():
                record_ready(boot, now)
            assert httpx.get(f"{url}/health").status_code == 200

            # And when its supervisor stops, it takes no more work, and the other goes on
            with hold_connection():
                record_stop(boot, now)
            wait_until(lambda: httpx.get(f"{url}/health").json()["status"] == "stopping")
        time.sleep(POLL_SECONDS + 0.2)
        assert httpx.get(f"{other}/health").status_code == 200

        # And one that is started now serves as well, whatever boot was the last
        monkeypatch.delenv("CATFEEDER_BOOT")
        with served(create_app()) as url:
            assert httpx.get(f"{url}/health").status_code == 200
    assert generation < boot


def test_a_process_that_starts_late_knows_at_once(generation: int) -> None:
    # Given a boot that was told to stop
    _stop(generation)
    # When one of its processes is started anew
    with served(create_app()) as url:
        # Then it never takes any work
        headers = {"Authorization": f"Bearer {ADMIN_API_KEY}"}
        answer = httpx.post(f"{url}/v1/passwords/hash", json=_BODY, headers=headers)
    assert_problem(answer, 503, "server_stopping")


def test_a_database_that_is_away_is_logged_once(
    http: httpx.Client, generation: int, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    # Given a database that is away for several looks
    path = Path(database_url.removeprefix("sqlite:///"))
    folder, aside = path.parent, path.parent.with_name("aside")
    folder.rename(aside)
    wait_until(lambda: "Cannot see whether to stop" in caplog.text)
    time.sleep(5 * _POLL_SECONDS)
    health = http.get("/health").json()
    assert (health["status"], health["database"], health["broker"]) == ("unhealthy", "down", "up")
    assert caplog.text.count("Cannot see whether to stop") == 1
    # When it is back and says to stop, then that is heard
    aside.rename(folder)
    _stop(generation)
    _await_stopping(http)


@pytest.mark.config(Server_configuration={"drain_seconds": 1})
def test_a_waiting_request_is_answered_when_draining_ends(
    http: httpx.Client, shim: Shim, generation: int
) -> None:
    # Given a request that waits for a job that nobody performs
    answers: list[httpx.Response] = []
    waiting = threading.Thread(
        target=lambda: answers.append(
            http.post("/v1/passwords/hash", json=_BODY, headers={"Prefer": "wait=30"})
        )
    )
    waiting.start()
    while not len(shim.waiter):
        time.sleep(0.01)
    # When the service stops and the time to drain is over
    begun = time.monotonic()
    _stop(generation)
    waiting.join()
    # Then the request is not cut off but answered
    assert answers[0].status_code == 202
    assert 1 <= time.monotonic() - begun < 25


@pytest.mark.config(Server_configuration={"drain_seconds": 1})
def test_a_job_that_ends_while_draining_is_still_answered(
    http: httpx.Client, service: Client, generation: int
) -> None:
    job = http.post("/v1/passwords/hash", json=_BODY).headers["Location"]
    _stop(generation)
    _await_stopping(http)
    end = threading.Timer(0.1, succeed, [service.jobs, job.rpartition("/")[2], "done"])
    end.start()
    assert http.get(job, headers={"Prefer": "wait=20"}).json()["result"] == "done"
    end.join()
