"""Requester context: each event names the API key that a message was requested with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from dramatiq import MessageProxy

from catfeeder.client import Client
from catfeeder.errors import JobFailed
from catfeeder.messages import HASH_PASSWORD
from catfeeder.queue.broker import build_message
from catfeeder.queue.requester import requester
from models.db.database import hold_connection
from models.events import TAB_EVENTS
from tests.conftest import StartWorker
from worker.consuming.broker import ConsumingBroker
from worker.consuming.middleware.requester_context import RequesterContext


@contextmanager
def asking(key_id: str) -> Iterator[None]:
    """Set the requester for the block."""
    token = requester.set(key_id)
    try:
        yield
    finally:
        requester.reset(token)


def refused_sign_in(client: Client) -> None:
    """Request what a worker records as an event, without any set-up."""
    with pytest.raises(JobFailed):
        client.exchange_code("nobody", "code", "state:nobody").result(timeout=60)


def asked_by() -> list[str | None]:
    """Return the requester of each event of the audit trail, the oldest first."""
    with hold_connection():
        return [event.key_id for event in TAB_EVENTS.select().order_by(TAB_EVENTS.id)]


def test_an_event_names_the_key_that_it_was_asked_with(
    client: Client, service: Client, start_worker: StartWorker
) -> None:
    start_worker(threads=1)
    # When the shim for two keys, and an app without one, request something by turns
    with asking("0123456789ab"):
        refused_sign_in(service)
    refused_sign_in(client)
    with asking("admin"):
        refused_sign_in(service)
        # (An app says in vain for which key it asks.)
        refused_sign_in(client)
    # Then each event names its requester, though one thread has written them all
    assert asked_by() == ["0123456789ab", None, "admin", None]


def proxy(**options: Any) -> MessageProxy:
    message = build_message(HASH_PASSWORD, {})
    return MessageProxy(message.copy(options=options))


def test_the_context_ends_with_the_message(broker: ConsumingBroker) -> None:
    message = proxy(requester="0123456789ab")
    middleware = RequesterContext(lambda _: None, lambda _: None)
    ends: list[Callable[[], None]] = [
        lambda: middleware.after_process_message(broker, message, result=1),
        lambda: middleware.after_process_message(broker, message, exception=ValueError()),
        lambda: middleware.after_skip_message(broker, message),
    ]
    for end in ends:
        # Given a message that is performed for a key
        middleware.before_process_message(broker, message)
        assert requester.get() == "0123456789ab"
        # When it has ended, in any way
        end()
        # Then there is no requester
        assert requester.get() is None


def test_a_message_without_a_requester_carries_none() -> None:
    assert build_message(HASH_PASSWORD, {}).options == {}
    with asking("admin"):
        assert build_message(HASH_PASSWORD, {}).options == {"requester": "admin"}
