"""Outages of the broker, frozen, killed or cut off: no accepted job is lost, no process ends."""

from __future__ import annotations

import time

import psutil
import pytest
import redis
import requests

from tests.journeys.stack import Stack
from tests.waiting import wait_until

pytestmark = pytest.mark.journey

#: Longer than any heartbeat may stand still.
_FREEZE_SECONDS = 6.0


def accepted(stack: Stack, count: int) -> list[str]:
    """Ask for hashes that take a moment; return where each can be read."""
    locations = []
    for number in range(count):
        body = {"password": f"outage number {number}", "rounds": 12}
        answer = stack.call("POST", "/v1/passwords/hash", json=body)
        assert answer.status_code == requests.codes.accepted, answer.text
        locations.append(answer.headers["Location"])
    return locations


def have_succeeded(stack: Stack, locations: list[str]) -> bool:
    statuses = {stack.call("GET", location).json().get("status") for location in locations}
    assert "failed" not in statuses
    return statuses == {"succeeded"}


def valkey_of(stack: Stack) -> psutil.Process:
    [process] = stack.directory.processes("unixsocket:")
    return process


def assert_refused(stack: Stack) -> None:
    """Ask for work that cannot be taken; the answer says so, and when to come back."""
    answer = stack.call("POST", "/v1/passwords/hash", json={"password": "no way to queue"})
    assert answer.status_code == requests.codes.service_unavailable, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "queue_unreachable"
    assert int(answer.headers["Retry-After"]) > 0


def test_no_outage_of_the_broker_loses_a_job_or_ends_a_process(stack: Stack) -> None:
    pids = set(stack.directory.settled_pids()) - {valkey_of(stack).pid}
    # Given running jobs and queued jobs, when the broker is frozen
    jobs = accepted(stack, 4)
    frozen_at = time.monotonic()
    valkey_of(stack).suspend()
    # Then each request is refused in the meantime
    assert_refused(stack)
    assert_refused(stack)
    assert stack.call("GET", "/health").status_code == requests.codes.service_unavailable
    time.sleep(max(0.0, frozen_at + _FREEZE_SECONDS - time.monotonic()))
    valkey_of(stack).resume()
    # And afterwards all is as before
    wait_until(lambda: have_succeeded(stack, jobs))
    # When it is killed, then what it had taken is there when it is back
    jobs = accepted(stack, 4)
    valkey_of(stack).kill()
    wait_until(lambda: stack.call("GET", "/health").status_code == requests.codes.ok)
    wait_until(lambda: have_succeeded(stack, jobs))
    # When every connection is cut at any moment, then nothing is lost either
    with redis.Redis.from_url(stack.redis_url) as cutter:
        for _ in range(4):
            jobs += accepted(stack, 1)
            cutter.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            cutter.execute_command("CLIENT", "KILL", "TYPE", "pubsub", "SKIPME", "yes")
            time.sleep(0.3)
    wait_until(lambda: have_succeeded(stack, jobs))
    # And all processes are the same as before, without a traceback
    assert pids <= set(stack.directory.pids())
    assert stack.stop() == 0
    assert "Traceback" not in stack.past_output[-1]
