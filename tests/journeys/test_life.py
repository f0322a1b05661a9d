"""One service from its first sign-in over killed processes and outages to its shutdown."""

from __future__ import annotations

import os
import signal
import time

import psutil
import pytest
import redis
import requests

from tests.journeys.sign_in import sign_in
from tests.oidc_provider import OidcProvider
from tests.stack.stack import ANONYMOUS, Stack
from tests.waiting import wait_until

pytestmark = pytest.mark.journey

#: A hash of this cost takes some seconds, so that it runs when the shutdown comes.
_SLOW_ROUNDS = 15
#: Longer than any heartbeat may stand still.
_FREEZE_SECONDS = 6.0


# -- Sign-in


def accepts(provider: OidcProvider, access_token: str) -> bool:
    """Return whether the provider takes an access token."""
    headers = {"Authorization": f"Bearer {access_token}"}
    return requests.get(f"{provider.issuer}/userinfo", headers=headers, timeout=10).ok


def test_a_user_signs_in_and_the_token_is_kept_fresh(
    stack: Stack, oidc_provider: OidcProvider
) -> None:
    # Given a user who has an account at the provider
    oidc_provider.describe_user(
        "maria", email="maria@cats.example", email_verified=True, name="Maria"
    )
    # When they sign in
    connection = sign_in(stack, oidc_provider, "maria", subject="user-1")
    # Then the app sees who they are, without any token
    profile = connection["profile"]
    assert profile["subject"] == "maria"
    assert (profile["email"], profile["email_verified"]) == ("maria@cats.example", True)
    assert connection["subject"] == "user-1"
    assert "token" not in str(connection)
    # And it finds the connection by its own name for the user
    listed = stack.call("GET", "/v1/connections", params={"subject": "user-1"}).json()
    assert [item["id"] for item in listed["items"]] == [connection["id"]]
    # And user info can be fetched anew
    oidc_provider.describe_user("maria", email="maria@dogs.example", email_verified=False)
    asked = {"connection_id": connection["id"]}
    fresh = stack.result("/v1/oauth/house/user-info", asked)
    assert (fresh["email"], fresh["email_verified"]) == ("maria@dogs.example", False)
    # When the token falls due, then the scheduler renews it before it expires, which the provider
    # sees, without any read of it meanwhile
    path = f"/v1/connections/{connection['id']}"
    first = stack.call("GET", f"{path}/token").json()["access_token"]
    assert accepts(oidc_provider, first)
    stack.execute("UPDATE connections SET renew_at = 0")
    wait_until(lambda: stack.call("GET", path).json()["expires_at"] != connection["expires_at"])
    assert stack.call("GET", path).json()["updated_at"] < connection["expires_at"]
    second = stack.call("GET", f"{path}/token").json()["access_token"]
    assert second != first
    assert accepts(oidc_provider, second)
    assert not accepts(oidc_provider, first)


def test_a_browser_is_led_through_the_login(stack: Stack, oidc_provider: OidcProvider) -> None:
    # Given a browser that opens the login of the provider, without any key
    login = stack.call("GET", "/v1/oauth/house/login", key=ANONYMOUS)
    assert login.status_code == requests.codes.see_other
    # When the user consents there and the provider sends it back
    answer = oidc_provider.consent(login.headers["Location"], "carol")
    cookies = login.cookies.get_dict()
    finished = stack.call(
        "GET", "/v1/oauth/callback/house", params=answer, key=ANONYMOUS, cookies=cookies
    )
    # Then the connection is theirs, and the same answer serves no second time
    assert finished.json()["profile"]["subject"] == "carol"
    again = stack.call(
        "GET", "/v1/oauth/callback/house", params=answer, key=ANONYMOUS, cookies=cookies
    )
    assert again.status_code == requests.codes.bad_request


def test_a_user_who_takes_the_consent_back_must_sign_in_again(
    stack: Stack, oidc_provider: OidcProvider
) -> None:
    # Given a connection whose user has taken the consent back at the provider
    connection = sign_in(stack, oidc_provider, "dave", subject="user-3")
    oidc_provider.revoke_tokens_of("dave")
    # When a renewal is asked for
    finished = stack.job(f"/v1/connections/{connection['id']}/renew")
    # Then it fails for good, and the connection says why
    assert finished["status"] == "failed"
    assert finished["error"]["code"] == "reauthorization_required"
    now = stack.call("GET", f"/v1/connections/{connection['id']}").json()
    assert now["status"] == "reauthorization_required"


def test_a_connection_is_erased(stack: Stack, oidc_provider: OidcProvider) -> None:
    # Given a connection
    connection = sign_in(stack, oidc_provider, "erin", subject="user-4")
    path = f"/v1/connections/{connection['id']}"
    # When the app disconnects it
    gone = stack.job(path, method="DELETE")
    # Then nothing is left of it
    assert gone["status"] == "succeeded"
    assert stack.call("GET", path).status_code == requests.codes.not_found


# -- Killed processes and outages


def test_a_killed_worker_is_replaced_and_the_rest_stays_up(stack: Stack) -> None:
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
    assert "Traceback" not in stack.running.output


# -- Restart and shutdown


def test_everything_is_still_there_after_a_restart(
    stack: Stack, oidc_provider: OidcProvider
) -> None:
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


# The last one: it ends the service.
def test_a_shutdown_finishes_the_job_in_hand(stack: Stack) -> None:
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
