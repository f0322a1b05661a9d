"""Fair queueing: the messages of all apps wait on one queue, and each app has its turn."""

from __future__ import annotations

import os
from typing import Any

import pytest

from catfeeder.client import Client
from catfeeder.clock import utc_now
from catfeeder.messages import HASH_PASSWORD, PASSWORDS
from catfeeder.queue.broker import assign_redis_id, build_enqueue, build_message, build_queued_job
from catfeeder.queue.lanes import NOTIFICATION_PREFIX
from catfeeder.queue.lua_scripts import call_script
from catfeeder.queue.requester import act_for
from catfeeder.sealing import Secret
from tests.servers import ValkeyServer
from worker.consuming.broker import ConsumingBroker
from worker.queue.pauses import pause_queue, resume_queue


def ask(client: Client, app: str, count: int = 1, cost: int | None = None) -> list[str]:
    """Put messages of an app onto the queue of passwords, and return their ids there."""
    ids = []
    for _ in range(count):
        with act_for(app):
            message = build_message(HASH_PASSWORD, {"password": Secret("x"), "rounds": 4})
            job = build_queued_job(message, utc_now())
        message = assign_redis_id(message)
        call_script(client.redis, build_enqueue(message, job, client.broker.encoder, cost))
        ids.append(message.options["redis_message_id"])
    return ids


def take(broker: ConsumingBroker, count: int, in_hand: list[str], worker: str = "w") -> list[str]:
    found = broker.in_flight.fetch(worker, PASSWORDS, count, in_hand)
    return [one.id.decode() for one in found]


def backlog(valkey: ValkeyServer) -> dict[str, int]:
    found = valkey.client.hgetall("catfeeder:passwords.backlog")
    return {os.fsdecode(app): int(cost) for app, cost in found.items()}


def test_each_app_has_its_turn(client: Client, broker: ConsumingBroker) -> None:
    # Given a long backlog of one app, and then a message each of two others
    flood = ask(client, "flood", 50)
    [shop], [bot] = ask(client, "shop"), ask(client, "bot")
    assert broker.depth(PASSWORDS) == 52
    # Then a worker that has room for four takes one of each app before the flood's second
    in_hand = take(broker, 4, [])
    assert in_hand == [flood[0], shop, bot, flood[1]]
    # And the app with the fewest in hand is served before others, however long these have waited
    [later] = ask(client, "shop")
    assert take(broker, 1, in_hand) == [later]
    assert broker.depth(PASSWORDS) == 48


@pytest.mark.usefixtures("tables")
def test_no_worker_takes_anything_of_a_paused_queue(
    client: Client, broker: ConsumingBroker
) -> None:
    # Given a worker with a message in hand, and others that wait
    first, second, *_ = ask(client, "shop", 3)
    assert take(broker, 1, []) == [first]
    # When the queue is paused
    pause_queue(client.redis, PASSWORDS, utc_now())
    # Then neither a fetch nor the end of a message brings another, in this process or a new one
    assert take(broker, 2, [first]) == take(broker, 2, [], "another") == []
    end: dict[str, Any] = {"job_end": None, "spent_seconds": 0, "processing": []}
    ended = broker.in_flight.acknowledge("w", PASSWORDS, first, count=1, candidates=[], **end)
    assert ended == []
    assert broker.depth(PASSWORDS) == 2
    # And each is there once it goes on
    resume_queue(client.redis, PASSWORDS, utc_now())
    assert take(broker, 1, []) == [second]


def test_an_app_holds_no_more_of_a_process_than_it_may(
    client: Client, broker: ConsumingBroker
) -> None:
    broker.in_flight.app_limits[PASSWORDS] = 1
    flood, [shop] = ask(client, "flood", 3), ask(client, "shop")
    # A process takes one of each app, and the next process the next
    assert take(broker, 8, []) == [flood[0], shop]
    assert take(broker, 8, [flood[0], shop]) == []
    assert take(broker, 8, [], "another") == [flood[1]]
    # A candidate that waits to be performed alone keeps no other message of its app waiting
    found = broker.in_flight.fetch("w", PASSWORDS, 8, [shop], [flood[0]])
    assert [one.id.decode() for one in found] == [flood[2]]


def test_what_lies_behind_a_long_backlog_is_found_without_a_poll_interval(
    client: Client, broker: ConsumingBroker, valkey: ValkeyServer
) -> None:
    # Given more of one app than a fetch sorts, then a message of another, and a worker that has
    # room, but none for a second message of the first app
    broker.in_flight.app_limits[PASSWORDS] = 1
    ask(client, "flood", 500)
    [shop] = ask(client, "shop")
    with valkey.client.pubsub() as listener:
        listener.subscribe(f"{NOTIFICATION_PREFIX}{PASSWORDS}")
        assert listener.get_message(timeout=5)
        # When it fetches
        in_hand = take(broker, 8, [])
        assert len(in_hand) == 1
        # Then it is notified of what it left unsorted, once: the next fetch sorts that
        assert listener.get_message(timeout=5)
        assert take(broker, 8, in_hand) == [shop]
        assert listener.get_message(timeout=0.2) is None


def test_what_goes_back_is_the_first_of_its_app(
    client: Client, broker: ConsumingBroker, valkey: ValkeyServer
) -> None:
    # Given messages whose cost was noted, and one whose sender knew of none
    broker.in_flight.usual_costs[PASSWORDS] = 7
    first, second = ask(client, "shop", 2, cost=100)
    ask(client, "bot")
    assert backlog(valkey) == {"shop": 200}
    # When the first is taken, its cost no longer waits; and an unknown cost is the usual one
    assert take(broker, 1, []) == [first]
    assert backlog(valkey) == {"shop": 100, "bot": 7}
    # When its worker dies, then the message is the first again, and waits with its cost
    assert broker.in_flight.requeue_from_dead_worker("w") == 1
    assert backlog(valkey) == {"shop": 200, "bot": 7}
    assert take(broker, 3, [])[1:] == [first, second]
    # And nothing is left of messages that were acknowledged
    for one in take(broker, 0, []):
        broker.in_flight.acknowledge(
            *("w", PASSWORDS, one),
            job_end=None,
            count=0,
            spent_seconds=0,
            processing=[],
            candidates=[],
        )
    assert take(broker, 1, []) == []
    left = [key for key in valkey.key_names() if key.startswith("catfeeder:passwords")]
    assert left == ["catfeeder:passwords.idle"]


@pytest.mark.parametrize(
    ("body", "app"),
    [
        (b"\x02\x00\x00\x00\x00\x08web-shop\x00\x00\x00\x01", "web-shop"),
        (b"\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00", ""),
        (b"\x02\x00\x00\x00\x00\x03a:b", ""),
        (b"\x02\x00\x00\x00\x00\xff" + b"a" * 300, ""),
        (b"\x01\x00\x00\x00\x00\x08web-shop", ""),
        (b"\x02", ""),
        (b"", ""),
    ],
    ids=["app", "service", "no-id", "long", "first-format", "short", "empty"],
)
def test_the_app_of_a_foreign_client_stands_in_the_envelope(
    broker: ConsumingBroker, valkey: ValkeyServer, body: bytes, app: str
) -> None:
    broker.in_flight.usual_costs.clear()
    # Given what a client in another language wrote, by docs/wire-format.md
    valkey.client.hset("catfeeder:passwords.msgs", "an id", body)
    valkey.client.rpush("catfeeder:passwords", "an id")
    # Then it waits in its app's lane, at the usual cost
    assert take(broker, 0, []) == []
    valkey.client.rpush("catfeeder:passwords", "without a body")
    broker.in_flight.app_limits[PASSWORDS] = 1
    assert take(broker, 1, []) == ["an id"]
    assert valkey.client.hget("catfeeder:passwords.lanes", "an id") == f"1:{app}".encode()


@pytest.mark.parametrize(
    "written",
    [
        pytest.param("HSET catfeeder:passwords.backlog shop 1000000000000000", id="much"),
        pytest.param("HSET catfeeder:passwords.backlog shop rubbish", id="no-number"),
        pytest.param("RPUSH catfeeder:passwords.backlog x", id="backlog-of-another-type"),
        pytest.param("RPUSH catfeeder:passwords.lanes x", id="lanes-of-another-type"),
        pytest.param("SADD catfeeder:passwords.lane:shop x", id="lane-of-another-type"),
        pytest.param("HSET catfeeder:passwords x y", id="queue-of-another-type"),
        pytest.param("RPUSH catfeeder:passwords.msgs x", id="bodies-of-another-type"),
    ],
)
def test_what_an_apps_user_of_redis_writes_stops_no_queue_for_ever(
    client: Client, broker: ConsumingBroker, valkey: ValkeyServer, written: str
) -> None:
    # Given a queue that is empty, and what one who may write its keys puts there
    valkey.client.execute_command(*written.split())
    if not written.startswith("RPUSH catfeeder:passwords.msgs"):
        valkey.client.hset("catfeeder:passwords.msgs", "a body of no message", "x")
    # When a worker has looked once
    take(broker, 1, [])
    assert broker.read_backlog(PASSWORDS) == {}
    # Then apps are served as before
    [shop], [bot] = ask(client, "shop", cost=5), ask(client, "bot", cost=5)
    assert broker.read_backlog(PASSWORDS) == {"shop": 5, "bot": 5}
    assert take(broker, 2, []) == [shop, bot]
    # And while a message waits, what is written for another app is not believed either
    ask(client, "bot", 2, cost=5)
    valkey.client.hset("catfeeder:passwords.backlog", "shop", 10**15)
    assert take(broker, 1, [shop, bot])
    assert broker.read_backlog(PASSWORDS) == {"bot": 5}
