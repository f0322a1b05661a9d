"""The service's own routes: health, numbers, and the word to stop."""

from __future__ import annotations

import httpx
import pytest

import catfeeder
from actors.events.audit import record
from actors.events.kinds import EventKind
from catfeeder.clock import utc_now
from catfeeder.messages import QUEUES
from models.db.database import hold_connection
from models.server import begin_supervised_boot, is_boot_stopping, is_stopping
from tests.oidc_provider import OidcProvider
from tests.waiting import wait_until
from tests.worker.http.answers import assert_problem
from tests.worker.http.broken_broker import cut_off
from tests.worker.http.signing_in import sign_in
from worker.http.shim import Shim


def test_health_needs_no_key(anonymous: httpx.Client) -> None:
    answer = anonymous.get("/health")
    health = answer.json()
    assert answer.status_code == 200
    assert health.pop("uptime") >= 0
    # No worker runs beside this process: it does its part, and says what is missing.
    assert health == {
        "status": "degraded",
        "version": catfeeder.__version__,
        "database": "up",
        "broker": "up",
        "workers": dict.fromkeys(QUEUES, 0),
        "paused": [],
    }


@pytest.mark.usefixtures("worker")
def test_shut_down_is_answered_and_then_sent(http: httpx.Client, generation: int) -> None:
    # Given a service in its second boot
    # When it is told to stop, and once more
    first, again = http.post("/v1/server/shutdown"), http.post("/v1/server/shutdown")
    # Then it says so, names the boot, and refuses new work
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json() == {"status": "stopping", "generation": generation}
    health = http.get("/health")
    assert (health.status_code, health.json()["status"]) == (503, "stopping")
    refused = http.post("/v1/passwords/hash", json={"password": "correct horse battery"})
    assert_problem(refused, 503, "server_stopping")
    assert int(refused.headers["Retry-After"]) > 0
    # And a worker has told all other processes
    with hold_connection():
        wait_until(lambda: is_stopping(generation))


@pytest.mark.usefixtures("worker")
def test_a_shutdown_is_of_the_whole_service_whichever_process_is_asked(
    http: httpx.Client, generation: int
) -> None:
    # Given a web process of the first boot, and a `make run` that was started since
    with hold_connection():
        later = begin_supervised_boot(utc_now())

    # When the first is told to stop, then both are
    assert http.post("/v1/server/shutdown").json()["generation"] == later == generation + 1
    with hold_connection():
        wait_until(lambda: is_boot_stopping(later) and is_stopping(generation))


def test_shut_down_that_cannot_be_sent_is_refused(http: httpx.Client, shim: Shim) -> None:
    # Given a broker that is gone
    cut_off(shim.client)
    # When the service is told to stop, then it refuses, and goes on
    assert_problem(http.post("/v1/server/shutdown"), 503, "queue_unreachable")
    assert http.get("/health").status_code == 200


@pytest.mark.parametrize("method_and_path", ["POST /v1/server/shutdown", "GET /metrics"])
def test_the_operators_routes_need_the_admins_key(
    anonymous: httpx.Client, method_and_path: str
) -> None:
    assert_problem(anonymous.request(*method_and_path.split()), 401, "key_required")


def test_metrics_count_what_is_there(http: httpx.Client, house: OidcProvider) -> None:
    # Given a connection, and requests that went well and not
    sign_in(http, house, "alice")
    http.get("/v1/jobs/nothing")
    http.get("/nothing/at/all")
    # When Prometheus asks
    answer = http.get("/metrics")
    # Then it is told of them by pattern, not by path
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    text = answer.text
    assert 'catfeeder_connections{status="active"} 1.0' in text
    assert 'catfeeder_connections{status="revoked"} 0.0' in text
    assert 'catfeeder_jobs_enqueued_total{actor="exchange_code"} 1.0' in text
    assert 'route="/v1/jobs/{job_id}",status="404"} 1.0' in text
    assert 'route="other",status="404"} 1.0' in text
    assert "/nothing" not in text


@pytest.mark.config(OAuth={"webhook_url": "https://app.example.com/hook"})
def test_metrics_count_undelivered_events(http: httpx.Client) -> None:
    with hold_connection():
        record(EventKind.RECOVERED, now=utc_now())
    assert "catfeeder_events_undelivered 1.0" in http.get("/metrics").text


def test_metrics_show_the_queues(http: httpx.Client) -> None:
    http.post("/v1/passwords/hash", json={"password": "correct horse battery"})
    assert 'catfeeder_queue_messages{queue="passwords"} 1.0' in http.get("/metrics").text
