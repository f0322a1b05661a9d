"""What a worker does is done in the name of whoever asked for it, and of nobody else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from dramatiq import MessageProxy

from catfeeder.broker import build_message
from catfeeder.client import Client
from catfeeder.errors import JobFailed
from catfeeder.messages import HASH_PASSWORD
from catfeeder.requester import requester
from models.db.database import hold_connection
from models.events import TAB_EVENTS
from tests.conftest import StartWorker
from worker.consuming.broker import ConsumingBroker
from worker.consuming.middleware.requester_context import RequesterContext


@contextmanager
def asking(key_id: str) -> Iterator[None]:
    """Ask in the name of a key for the block."""
    token = requester.set(key_id)
    try:
        yield
    finally:
        requester.reset(token)


def refused_sign_in(client: Client) -> None:
    """Ask for what a worker writes an event of, and which needs nothing else to be there."""
    with pytest.raises(JobFailed):
        client.exchange_code("nobody", "code", "state:nobody").result(timeout=60)


def asked_by() -> list[str | None]:
    """Return who asked for what the trail tells of, the oldest first."""
    with hold_connection():
        return [event.key_id for event in TAB_EVENTS.select().order_by(TAB_EVENTS.id)]


def test_an_event_names_the_key_that_it_was_asked_with(
    client: Client, start_worker: StartWorker
) -> None:
    start_worker(threads=1)
    # When two keys and nobody in particular ask for something, turn by turn
    with asking("0123456789ab"):
        refused_sign_in(client)
    refused_sign_in(client)
    with asking("admin"):
        refused_sign_in(client)
    refused_sign_in(client)
    # Then each event names who asked, though one thread has written them all
    assert asked_by() == ["0123456789ab", None, "admin", None]


def proxy(**options: Any) -> MessageProxy:
    message = build_message(HASH_PASSWORD, {})
    return MessageProxy(message.copy(options=options))


def test_nothing_is_left_of_it_after_the_message(broker: ConsumingBroker) -> None:
    message = proxy(requester="0123456789ab")
    middleware = RequesterContext()
    ends: list[Callable[[], None]] = [
        lambda: middleware.after_process_message(broker, message, result=1),
        lambda: middleware.after_process_message(broker, message, exception=ValueError()),
        lambda: middleware.after_skip_message(broker, message),
    ]
    for end in ends:
        # Given a message that is performed in the name of a key
        middleware.before_process_message(broker, message)
        assert requester.get() == "0123456789ab"
        # When it has ended, however that may be
        end()
        # Then nobody is named
        assert requester.get() is None


def test_a_message_that_nobody_asked_for_says_nothing() -> None:
    assert build_message(HASH_PASSWORD, {}).options == {}
    with asking("admin"):
        assert build_message(HASH_PASSWORD, {}).options == {"requester": "admin"}
