"""Overload: more work than the cores can do is refused in time, and no other work waits for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import requests

from tests.journeys.conftest import start_with_provider
from tests.journeys.sign_in import sign_in
from tests.oidc_provider import OidcProvider
from tests.stack.stack import Stack
from tests.waiting import wait_until

pytestmark = [pytest.mark.journey, pytest.mark.timeout(300)]

#: A hash of this cost takes about half a second, so that a queue is soon too long.
_BODY = {"password": "everybody at once", "rounds": 13}


class Crowd:
    """Clients that request hashes all the time, and the answers that they got."""

    def __init__(self, stack: Stack) -> None:
        self.answers: list[requests.Response] = []
        self._stack = stack
        self._stopping = threading.Event()

    def _ask(self) -> None:
        while not self._stopping.is_set():
            self.answers.append(self._stack.call("POST", "/v1/passwords/hash", json=_BODY))
            # Many times what can be hashed, and no load test of the shim.
            self._stopping.wait(0.02)

    @contextmanager
    def asking(self) -> Iterator[None]:
        threads = [threading.Thread(target=self._ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stopping.set()
            for thread in threads:
                thread.join()

    def refused(self) -> list[requests.Response]:
        """Return the refusals."""
        return [answer for answer in self.answers if answer.status_code == 429]


@pytest.fixture
def stack(make_stack: Callable[..., Stack], oidc_provider: OidcProvider) -> Stack:
    """A service that does not wait long for its jobs when it stops."""
    made = make_stack(OAUTH_ALLOWED_PRIVATE_HOSTS=oidc_provider.host)
    made.configure("Server_configuration", "drain_seconds", "1")
    start_with_provider(made, oidc_provider)
    return made


def _passwords(stack: Stack) -> dict[str, float]:
    """Return the report of the queue of passwords."""
    [passwords, *_] = stack.call("GET", "/v1/queues").json()["items"]
    return dict(passwords)


def test_a_flood_is_refused_in_time_and_starves_no_other_work(
    stack: Stack, oidc_provider: OidcProvider
) -> None:
    connection = sign_in(stack, oidc_provider, "frank", subject="user-1")
    path = f"/v1/connections/{connection['id']}"
    # The workers have learned what such a hash takes, and the shim hears of it within a second.
    stack.result("/v1/passwords/hash", dict(_BODY))
    wait_until(lambda: _passwords(stack)["per_second"] > 0)
    time.sleep(1)
    before = _passwords(stack)
    # Given far more requests than the cores can hash
    crowd = Crowd(stack)
    with crowd.asking():
        wait_until(crowd.refused)
        # Then requests that need no core are served as ever: a token, a renewal, the queues
        for _ in range(3):
            assert stack.call("GET", f"{path}/token").status_code == requests.codes.ok
        assert stack.job(f"{path}/renew")["status"] == "succeeded"
        passwords = _passwords(stack)
    # And each answer was yes, or when to come back
    assert {answer.status_code for answer in crowd.answers} == {202, 429}
    waits = [int(answer.headers["Retry-After"]) for answer in crowd.refused()]
    assert all(1 <= wait <= 60 for wait in waits)
    # And what was taken will be done within its minute: the queue is as long as a third of it, at
    # the throughput of then, which changes with the load of the machine
    throughput = max(before["per_second"], passwords["per_second"])
    assert 0 < passwords["messages"] / throughput < 60
    # And a client that comes back, when others do not, is served
    wait_until(lambda: stack.call("POST", "/v1/passwords/hash", json=_BODY).ok, 120)
    # And the service stops without waiting for all of them
    assert stack.call("POST", "/v1/server/shutdown").status_code == requests.codes.accepted
    assert stack.await_end() == 0
