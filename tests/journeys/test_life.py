"""Life of the stack: a worker is killed, all of it is restarted, a shutdown finishes its jobs."""

from __future__ import annotations

import os
import signal

import psutil
import pytest
import requests

from tests.journeys.sign_in import sign_in
from tests.journeys.stack import Stack
from tests.oidc_provider import OidcProvider
from tests.waiting import wait_until

pytestmark = pytest.mark.journey

#: A hash of this cost takes some seconds, so that it runs when the shutdown comes.
_SLOW_ROUNDS = 15


def test_a_killed_worker_is_replaced_and_the_rest_stays_up(stack_with_provider: Stack) -> None:
    stack = stack_with_provider
    # Given the processes that hash passwords, and all others
    settled = set(stack.directory.settled_pids())
    hashing = {process.pid for process in stack.worker_processes("passwords")} & settled
    # When each of them is killed
    assert hashing
    for pid in hashing:
        os.kill(pid, signal.SIGKILL)
    # Then passwords are hashed again
    assert stack.result("/v1/passwords/hash", {"password": "nine lives have I"})
    # And no other process was disturbed
    assert all(psutil.pid_exists(pid) for pid in settled - hashing)


def test_everything_is_still_there_after_a_restart(
    stack_with_provider: Stack, oidc_provider: OidcProvider
) -> None:
    stack = stack_with_provider
    # Given a job that has ended, and a connected user
    done = stack.call("POST", "/v1/passwords/hash", json={"password": "remember the milk"})
    stack.await_end_of(done.headers["Location"])
    connection = sign_in(stack, oidc_provider, "frank", subject="user-5")
    # When the service is stopped and started anew on the same folder
    assert stack.stop() == 0
    stack.start()
    # Then the job, the provider, the connection and its token are still there
    assert stack.call("GET", done.headers["Location"]).json()["status"] == "succeeded"
    assert stack.call("GET", "/v1/providers/house").json()["issuer"] == oidc_provider.issuer
    path = f"/v1/connections/{connection['id']}"
    assert stack.call("GET", path).json()["subject"] == "user-5"
    assert stack.call("GET", f"{path}/token").json()["access_token"]


# The last one: it ends the service of the file.
def test_a_shutdown_finishes_the_job_in_hand(stack_with_provider: Stack) -> None:
    stack = stack_with_provider
    # Given a job that takes a while
    asked = stack.call(
        "POST", "/v1/passwords/hash", json={"password": "slow but sure", "rounds": _SLOW_ROUNDS}
    )
    assert asked.status_code == requests.codes.accepted
    # When a shutdown is requested
    answer = stack.call("POST", "/v1/server/shutdown")
    # Then the answer comes first
    assert answer.status_code == requests.codes.accepted
    # And then no new work is taken and health says so, but the running job is finished
    wait_until(lambda: stack.call("GET", "/health").status_code == 503)
    refused = stack.call("POST", "/v1/passwords/hash", json={"password": "too late, my friend"})
    assert refused.status_code == requests.codes.service_unavailable
    assert "Retry-After" in refused.headers
    assert stack.await_end_of(asked.headers["Location"])["status"] == "succeeded"
    # And everything ends, with status 0 and nothing left behind
    assert stack.await_end() == 0
    assert stack.directory.processes() == []
    assert stack.directory.sockets() == []
