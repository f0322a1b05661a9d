"""From a request to a job: 202 at once, 200 when the caller waits and the job ends in time."""

from __future__ import annotations

import time

import httpx
import pytest

from tests.worker.http.answers import assert_problem
from tests.worker.http.broken_broker import cut_off
from worker.http.shim import Shim

_PATH = "/v1/passwords/hash"
_BODY = {"password": "correct horse battery"}


def test_a_job_is_taken_in(http: httpx.Client) -> None:
    # When a job is asked for without a preference
    answer = http.post(_PATH, json=_BODY)
    # Then the answer is 202 and leads to the job, which is there
    job = answer.json()
    assert answer.status_code == 202
    assert answer.headers["Location"] == f"/v1/jobs/{job['id']}"
    assert "Preference-Applied" not in answer.headers
    assert http.get(answer.headers["Location"]).json()["actor"] == "hash_password"


@pytest.mark.usefixtures("worker")
def test_a_request_that_waits_gets_the_finished_job(http: httpx.Client) -> None:
    answer = http.post(_PATH, json=_BODY, headers={"Prefer": "wait=10"})
    assert answer.status_code == 200
    assert answer.json()["status"] == "succeeded"
    assert answer.headers["Location"] == f"/v1/jobs/{answer.json()['id']}"
    assert answer.headers["Preference-Applied"] == "wait=10"


def test_a_job_that_takes_longer_is_taken_in(http: httpx.Client) -> None:
    # Given that no worker runs
    begun = time.monotonic()
    # When a caller waits for a second
    answer = http.post(_PATH, json=_BODY, headers={"Prefer": "wait=1"})
    # Then they get the job as it is, a second later
    assert (answer.status_code, answer.json()["status"]) == (202, "queued")
    assert answer.headers["Preference-Applied"] == "wait=1"
    assert 1 <= time.monotonic() - begun < 20


@pytest.mark.usefixtures("worker")
def test_a_wait_that_is_too_long_is_cut(http: httpx.Client) -> None:
    answer = http.post(_PATH, json=_BODY, headers={"Prefer": "wait=3600"})
    assert answer.headers["Preference-Applied"] == "wait=30"


def test_a_queue_that_is_gone_is_a_503(http: httpx.Client, shim: Shim) -> None:
    cut_off(shim.client)
    answer = http.post(_PATH, json=_BODY)
    assert_problem(answer, 503, "queue_unreachable")
    assert int(answer.headers["Retry-After"]) > 0
    assert "nowhere" not in answer.text
