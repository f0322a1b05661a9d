"""Jobs over HTTP: read, waited for, cancelled, forgotten."""

from __future__ import annotations

import threading
import time
from typing import Any

import httpx
import pytest

import catfeeder
from catfeeder.client import Client
from catfeeder.clock import utc_now
from catfeeder.queue.jobs.scripts import job_key
from catfeeder.queue.jobs.store import JobError
from config import Settings
from tests.conftest import derive_app_key
from tests.jobs import fail, start, succeed
from tests.servers import ValkeyServer
from tests.worker.http.answers import assert_problem

_UNKNOWN = "/v1/jobs/00000000-0000-4000-8000-000000000000"


@pytest.fixture
def path(http: httpx.Client) -> str:
    """Where a job is that nobody performs."""
    answer = http.post("/v1/passwords/hash", json={"password": "correct horse battery"})
    assert answer.status_code == 202
    return answer.headers["Location"]


def _id(path: str) -> str:
    return path.rpartition("/")[2]


def test_a_job_that_waits_has_no_more_than_it_can(http: httpx.Client, path: str) -> None:
    job = http.get(path).json()
    assert set(job) == {"id", "actor", "queue", "status", "enqueued_at"}
    assert (job["actor"], job["queue"], job["status"]) == ("hash_password", "passwords", "queued")
    assert job["enqueued_at"].endswith("Z")


def test_a_job_that_failed_says_why(http: httpx.Client, path: str, service: Client) -> None:
    fail(service.jobs, _id(path), JobError("some_code", "A sentence.", permanent=True), utc_now())
    job = http.get(path).json()
    assert job["status"] == "failed"
    assert job["error"] == {"code": "some_code", "detail": "A sentence.", "permanent": True}
    assert "result" not in job


def test_reading_a_job_waits_as_preferred(http: httpx.Client, path: str, service: Client) -> None:
    # Given a job that ends while a caller waits for it
    end = threading.Timer(0.2, succeed, [service.jobs, _id(path), {"a": 1}])
    end.start()
    # When it is read with a preference to wait
    begun = time.monotonic()
    job = http.get(path, headers={"Prefer": "wait=20"}).json()
    # Then the answer comes with its end
    assert job["result"] == {"a": 1}
    assert time.monotonic() - begun < 15
    end.join()


def test_a_job_that_has_not_begun_is_cancelled(http: httpx.Client, path: str) -> None:
    # When a job is cancelled, and once more
    first, again = http.delete(path), http.delete(path)
    # Then it is so, both times
    assert (first.status_code, first.json()["status"]) == (200, "cancelled")
    assert (again.status_code, again.json()["status"]) == (200, "cancelled")


def test_a_job_that_has_begun_is_not(http: httpx.Client, path: str, service: Client) -> None:
    start(service.jobs, _id(path), utc_now())
    assert_problem(http.delete(path), 409, "job_not_cancellable")
    assert http.get(path).json()["status"] == "running"


def test_a_job_is_forgotten_after_its_time(
    http: httpx.Client, path: str, valkey: ValkeyServer
) -> None:
    # Given a job whose hour has passed
    key = f"catfeeder:job:{_id(path)}"
    left = valkey.client.ttl(key)
    assert isinstance(left, int)
    assert left > 3590
    valkey.client.pexpire(key, 1)
    time.sleep(0.01)
    # When it is asked for, then nobody knows it
    assert_problem(http.get(path), 404, "job_expired")


def test_a_job_that_never_was_is_not_found(http: httpx.Client) -> None:
    for path in (_UNKNOWN, "/v1/jobs/not-an-id", "/v1/jobs/%00", "/v1/jobs/*"):
        for method in ("GET", "DELETE"):
            assert_problem(http.request(method, path), 404, "job_expired")


def test_a_job_that_a_redis_writer_has_spoilt_is_unknown(
    http: httpx.Client, path: str, service: Client
) -> None:
    # Given a job, and another one that has ended
    other = service.hash_password("hunter2")
    succeed(service.jobs, other.id, {"a": 1})
    redis, key = service.redis, job_key(_id(path))
    # When the end of the other is copied, or something else stands in the job's place
    end: Any = redis.hget(job_key(other.id), "end")
    redis.hset(key, mapping={"status": "succeeded", "end": end})
    answers = [http.get(path), http.delete(path), http.get(path, headers={"Prefer": "wait=1"})]
    redis.delete(key)
    redis.set(key, "x")
    answers += [http.get(path), http.delete(path)]
    # Then it is unknown, and nothing breaks
    for answer in answers:
        assert_problem(answer, 404, "job_expired")


def test_jobs_are_listed_by_app_status_and_actor_page_by_page(
    http: httpx.Client, path: str, service: Client, settings: Settings
) -> None:
    # Given two jobs over HTTP, one of which failed, and one that an app has put onto the queue
    other = _id(
        http.post("/v1/passwords/hash", json={"password": "other horse"}).headers["Location"]
    )
    fail(service.jobs, other, JobError("some_code", "It broke.", permanent=True), utc_now())
    assert http.post("/v1/apps", json={"id": "shop"}).status_code == 201
    shop = catfeeder.connect(
        settings.required_redis_url(), derive_app_key(settings, "shop", 1).to_text()
    )
    own = shop.check_password("x", "$2b$10$0123456789012345678901uL8hZ4yqg1VQ3m1m4nq7T0p3iVw4rGK")

    def listed(app: str | None = None, **query: object) -> list[str]:
        headers = {} if app is None else {"Catfeeder-App": app}
        answer = http.get("/v1/jobs", params=query, headers=headers)  # type: ignore[arg-type]
        return [job["id"] for job in answer.json()["items"]]

    # Then the latest is first, and the app's own is there once a worker has begun it
    assert listed() == [other, _id(path)]
    start(service.jobs, own.id)
    assert listed() == [own.id, other, _id(path)]
    # And each filter has its own
    assert listed("shop") == listed(app="shop") == listed(actor="check_password") == [own.id]
    assert listed(status="running") == [own.id]
    assert listed("default", status="queued") == [_id(path)]
    [failed] = http.get("/v1/jobs", params={"status": "failed"}).json()["items"]
    assert (failed["app"], failed["error"]["code"]) == ("default", "some_code")
    # And pages follow each other
    first = http.get("/v1/jobs", params={"limit": 2}).json()
    assert [job["id"] for job in first["items"]] == [own.id, other]
    rest = http.get("/v1/jobs", params={"limit": 2, "cursor": first["next_cursor"]}).json()
    assert ([job["id"] for job in rest["items"]], rest["next_cursor"]) == ([_id(path)], None)
    assert_problem(http.get("/v1/jobs", params={"cursor": "x"}), 422, "cursor_invalid")
    # And neither a job that has expired nor what another program writes there is any
    service.redis.delete(job_key(other))
    service.redis.zadd("catfeeder:jobs:default", {own.id: 1.0, "none": 2.0})
    assert listed("default") == [_id(path)]
    shop.close()
