"""Waking: of the workers that wait, a message wakes one that may take it, and no other."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from redis.client import PubSub

from catfeeder.client import Client
from catfeeder.messages import PASSWORDS
from catfeeder.queue.lanes import NOTIFICATION_PREFIX
from tests.servers import ValkeyServer
from tests.worker.consuming.in_flight.test_lanes import ask, take
from worker.consuming.broker import ConsumingBroker


@pytest.fixture
def listener(valkey: ValkeyServer) -> Iterator[PubSub]:
    """Hears what every worker does."""
    with valkey.client.pubsub(ignore_subscribe_messages=True) as listener:
        listener.psubscribe(f"{NOTIFICATION_PREFIX}*")
        listener.get_message(timeout=1)
        yield listener


def woken(listener: PubSub) -> list[str]:
    """Return which channels were notified since the last time."""
    channels = []
    while (message := listener.get_message(timeout=0.1)) is not None:
        channels.append(message["channel"].decode().removeprefix(NOTIFICATION_PREFIX))
    return channels


def test_each_message_wakes_one_worker(
    client: Client, broker: ConsumingBroker, listener: PubSub
) -> None:
    # Given two workers that have found nothing
    take(broker, 1, [], "w")
    take(broker, 1, [], "v")
    # When three messages come, then each of the two is woken once
    ask(client, "shop", 3)
    assert sorted(woken(listener)) == ["passwords:v", "passwords:w"]
    # And a worker that has all it can hold is not woken, while more waits, or comes
    assert len(take(broker, 1, [], "v")) == 1
    ask(client, "shop")
    assert woken(listener) == []


def test_a_worker_that_leaves_messages_wakes_the_next(
    client: Client, broker: ConsumingBroker, listener: PubSub
) -> None:
    # Given two messages that woke none, and two workers that wait
    ask(client, "shop", 2)
    client.redis.hset("catfeeder:passwords.idle", mapping={"passwords:v": " ", "passwords:w": " "})
    # When one takes the first before it is woken, then the other is woken
    assert take(broker, 1, [], "v")
    assert woken(listener) == ["passwords:w"]


def test_a_worker_that_has_died_is_passed_over(
    client: Client, broker: ConsumingBroker, valkey: ValkeyServer
) -> None:
    # Given workers that wait, of which one listens
    for worker in ("dead", "gone", "alive"):
        take(broker, 1, [], worker)
    with valkey.client.pubsub(ignore_subscribe_messages=True) as listener:
        listener.subscribe(f"{NOTIFICATION_PREFIX}passwords:alive")
        listener.get_message(timeout=1)
        # When a message comes, then that one is woken
        ask(client, "shop")
        assert woken(listener) == ["passwords:alive"]
    # And of those that are known to have ended, nothing is left
    for worker in ("dead", "gone"):
        broker.in_flight.forget_worker(worker)
    assert valkey.client.hkeys("catfeeder:passwords.idle") == [b"passwords:alive"]


def test_a_worker_that_may_hold_no_more_of_an_app_is_woken_for_others(
    client: Client, broker: ConsumingBroker, listener: PubSub
) -> None:
    # Given workers that take one message of an app at once; one has a message of `shop`
    broker.in_flight.app_limits[PASSWORDS] = 1
    [first] = ask(client, "shop")
    assert take(broker, 8, [], "w") == [first]
    assert take(broker, 8, [], "v") == []
    # When more of that app comes, then the other is woken for it, and then none
    ask(client, "shop", 2)
    assert woken(listener) == ["passwords:v"]
    assert len(take(broker, 8, [], "v")) == 1
    ask(client, "shop")
    assert woken(listener) == []
    # And a message of another app wakes one of them
    ask(client, "bot")
    assert len(woken(listener)) == 1


def test_a_worker_wakes_the_next_for_what_it_may_not_take(
    client: Client, broker: ConsumingBroker, listener: PubSub
) -> None:
    broker.in_flight.app_limits[PASSWORDS] = 1
    for worker in ("u", "v", "w"):
        take(broker, 8, [], worker)
    # Given three messages of one app, of which workers have sorted none yet
    ask(client, "shop", 3)
    assert len(woken(listener)) == 3
    client.redis.hset("catfeeder:passwords.idle", mapping={"passwords:v": " ", "passwords:w": " "})
    # When one takes the first, then another is woken for the second, and so on
    take(broker, 8, [], "u")
    [second] = woken(listener)
    take(broker, 8, [], second.removeprefix("passwords:"))
    [third] = woken(listener)
    assert {second, third} == {"passwords:v", "passwords:w"}


def test_while_a_queue_is_paused_its_messages_wake_none(
    client: Client, broker: ConsumingBroker, listener: PubSub
) -> None:
    client.redis.hset("catfeeder:paused", PASSWORDS, "1")
    ask(client, "shop")
    # Given a worker that has looked, and found the queue paused
    take(broker, 1, [])
    ask(client, "shop")
    assert woken(listener) == []


@pytest.mark.parametrize("written", ["RPUSH {} x", "HSET {} a ! b ! c !"], ids=["type", "names"])
def test_what_another_client_writes_keeps_none_asleep_for_ever(
    client: Client, broker: ConsumingBroker, listener: PubSub, written: str
) -> None:
    client.redis.execute_command(*written.format("catfeeder:passwords.idle").split())
    # When a worker has looked once, then it is woken by what comes
    take(broker, 1, [])
    ask(client, "shop")
    assert woken(listener) == ["passwords:w"]
