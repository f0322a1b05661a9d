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
    # Given two workers that have found nothing, and one that has not looked
    take(broker, 1, [], "w")
    take(broker, 1, [], "v")
    # When three messages come, then each of the two is woken once
    ask(client, "shop", 3)
    assert sorted(woken(listener)) == ["passwords:v", "passwords:w"]
    # And a worker that has all it can hold is not woken, while more waits, or comes
    assert len(take(broker, 1, [], "v")) == 1
    ask(client, "shop")
    assert woken(listener) == []


def test_a_worker_that_takes_all_it_can_wakes_the_next(
    client: Client, broker: ConsumingBroker, listener: PubSub
) -> None:
    # Given two messages that woke none, and two workers that wait
    ask(client, "shop", 2)
    client.redis.sadd("catfeeder:passwords.idle", "passwords:w", "passwords:v")
    # When the other takes one of them before it is woken, then the first is woken, and not itself
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
    # And of one that is known to have ended, nothing is left
    take(broker, 1, ["x"], "alive")
    take(broker, 1, ["x"], "w")
    broker.in_flight.forget_worker("w")
    assert valkey.client.sismember("catfeeder:passwords.idle", "passwords:w") == 0


def test_workers_that_hold_no_more_of_this_app_are_left_asleep(
    client: Client, broker: ConsumingBroker, listener: PubSub
) -> None:
    # Given workers that take one message of an app at once, and wait
    broker.in_flight.app_limits[PASSWORDS] = 1
    [first], _ = ask(client, "shop"), ask(client, "shop")
    assert take(broker, 8, []) == [first]
    woken(listener)
    # When more of that app comes, of which one waits already, then none is woken
    ask(client, "shop")
    assert woken(listener) == []
    # And a message of another app wakes them all, by the channel of the queue
    ask(client, "bot")
    assert woken(listener) == ["passwords"]


def test_while_a_queue_is_paused_its_messages_wake_none(
    client: Client, broker: ConsumingBroker, listener: PubSub
) -> None:
    client.redis.hset("catfeeder:paused", PASSWORDS, "1")
    ask(client, "shop")
    # Given a worker that has looked, and found the queue paused
    take(broker, 1, [])
    ask(client, "shop")
    assert woken(listener) == []


def test_a_key_of_another_type_keeps_none_asleep_for_ever(
    client: Client, broker: ConsumingBroker, listener: PubSub, valkey: ValkeyServer
) -> None:
    valkey.client.rpush("catfeeder:passwords.idle", "x")
    # When a worker has looked once, then it is woken by what comes
    take(broker, 1, [])
    ask(client, "shop")
    assert woken(listener) == ["passwords:w"]
