"""Webhook of the whole service: each event arrives with its requester, despite failures."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from config import ROOT
from tests.journeys.conftest import start_with_provider
from tests.journeys.sign_in import sign_in
from tests.oidc_provider import OidcProvider
from tests.provider.answers import Answer
from tests.provider.server import Request, running_server
from tests.stack.stack import Stack
from tests.waiting import wait_until

pytestmark = pytest.mark.journey


class Receiver:
    """An app that receives events; it can be out of order."""

    def __init__(self) -> None:
        self.is_well = True
        self.taken: list[Request] = []
        self.failures = threading.Semaphore(0)

    def answer(self, request: Request) -> Answer:
        """Take an event, or fail to."""
        if not self.is_well:
            self.failures.release()
            return Answer(503)
        self.taken.append(request)
        return Answer(204)

    def kinds(self) -> list[str]:
        """Return the kinds of the events that it took."""
        return [json.loads(request.body)["kind"] for request in self.taken]


@pytest.fixture
def receiver() -> Receiver:
    """An app that is well."""
    return Receiver()


@pytest.fixture
def stack(
    make_stack: Callable[..., Stack], oidc_provider: OidcProvider, receiver: Receiver
) -> Iterator[Stack]:
    """A running service with the provider, which delivers to the receiver."""
    with running_server(receiver.answer) as server:
        host = f"127.0.0.1:{server.server_address[1]}"
        made = make_stack(OAUTH_ALLOWED_PRIVATE_HOSTS=f"{oidc_provider.host},{host}")
        made.configure("OAuth", "webhook_url", f'"http://{host}/hook"')
        made.configure("Crons", "deliver_events_interval", "1")
        start_with_provider(made, oidc_provider)
        yield made
        made.end()


def _verified(stack: Stack, request: Request) -> dict[str, Any]:
    """Read a delivery with the recipe of docs/webhooks.md."""
    (code,) = re.findall(
        r"```python\n(.*?)```", (ROOT / "docs" / "webhooks.md").read_text(), re.DOTALL
    )
    recipe: dict[str, Any] = {}
    exec(compile(code, "docs/webhooks.md", "exec"), recipe)  # noqa: S102
    printed = stack.command("webhook-key")
    event: dict[str, Any] = recipe["read_event"](
        request.headers, request.body, printed.stdout.strip()
    )
    return event


def test_each_event_reaches_the_webhook_once_despite_failures_and_a_restart(
    stack: Stack, oidc_provider: OidcProvider, receiver: Receiver
) -> None:
    # Given a user who signs in
    connection = sign_in(stack, oidc_provider, "alice", subject="user-1")
    # Then the app gets an event that it can verify
    wait_until(lambda: receiver.kinds() == ["exchanged"])
    event = _verified(stack, receiver.taken[0])
    assert (event["connection_id"], event["subject"]) == (connection["id"], "user-1")
    # Given an app that is out of order while the user is disconnected by another, with its key
    receiver.is_well = False
    wishes = {"name": "admin panel", "scopes": ["jobs"]}
    made = stack.call("POST", "/v1/keys", json=wishes).json()
    path = f"/v1/connections/{connection['id']}"
    assert stack.job(path, method="DELETE", key=made["key"])["status"] == "succeeded"
    assert receiver.failures.acquire(timeout=60)
    # And a service that is stopped and, when it is time to try again, started
    assert stack.stop() == 0
    receiver.is_well = True
    stack.execute("UPDATE events SET deliver_at = 0 WHERE deliver_at IS NOT NULL")
    stack.start()
    # Then the app gets that event too, each once, with its requester
    wait_until(lambda: receiver.kinds() == ["exchanged", "revoked"])
    revoked = _verified(stack, receiver.taken[1])
    assert (revoked["connection_id"], revoked["key_id"]) == (connection["id"], made["id"])
    # And the trail has the same, the newest first
    listed = stack.call("GET", "/v1/events", params={"connection_id": connection["id"]}).json()
    assert [item["kind"] for item in listed["items"]] == ["revoked", "exchanged"]
    assert listed["items"][0] == revoked
