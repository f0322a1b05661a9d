"""The producer: messages are put onto queues sealed, at once, and once."""

from __future__ import annotations

import os

import pytest

from catfeeder.clock import utc_now
from catfeeder.errors import QueueFull, QueueUnreachable
from catfeeder.messages import HASH_PASSWORD, RENEW_OATHS
from catfeeder.queue.broker import SealedBroker, build_message, build_queued_job
from catfeeder.queue.encoder import SealedEncoder
from catfeeder.queue.envelope import ServiceSealer
from catfeeder.queue.jobs.store import JobStore
from catfeeder.queue.redis.connection import connect_redis
from catfeeder.sealing import Key, Secret
from tests.servers import ValkeyServer

ENCODER = SealedEncoder(ServiceSealer([Key(b"k" * 32)]))


@pytest.fixture
def producer(valkey: ValkeyServer) -> SealedBroker:
    return SealedBroker(valkey.client, ENCODER)


def test_a_message_is_put_sealed_onto_the_queue_of_the_catalogue(
    producer: SealedBroker, valkey: ValkeyServer
) -> None:
    # When a message is sent
    sent = producer.enqueue(build_message(HASH_PASSWORD, {"password": Secret("hunter2")}))
    # Then its id waits on its queue, and its body opens with our key alone
    [waiting] = valkey.client.lrange("catfeeder:passwords", 0, -1)
    body = os.fsencode(valkey.client.hget("catfeeder:passwords.msgs", os.fsdecode(waiting)) or b"")
    assert os.fsdecode(waiting) == sent.options["redis_message_id"]
    assert b"hunter2" not in body
    assert ENCODER.open(body) == {**sent.asdict(), "args": []}


def test_a_message_that_is_sent_twice_has_two_places(producer: SealedBroker) -> None:
    message = build_message(RENEW_OATHS, {})
    assert producer.enqueue(message).options != producer.enqueue(message).options
    assert message.options == {}
    assert producer.depth("control") == 2


def test_a_message_and_the_record_of_its_job_are_there_together_or_not_at_all(
    producer: SealedBroker, valkey: ValkeyServer
) -> None:
    message = build_message(HASH_PASSWORD, {})
    job = build_queued_job(message, utc_now())
    producer.enqueue(message, job=job)
    assert JobStore(valkey.client, ENCODER.sealer).get(message.message_id) == job
    # When the server takes nothing any more
    valkey.client.flushall()
    valkey.client.config_set("maxmemory", 1)
    try:
        with pytest.raises(QueueUnreachable):
            producer.enqueue(message, job=job)
    finally:
        valkey.client.config_set("maxmemory", 0)
    assert valkey.key_names() == []


def test_a_full_queue_takes_no_more(producer: SealedBroker, valkey: ValkeyServer) -> None:
    # Given a queue with as many messages as it may hold
    valkey.client.rpush("catfeeder:passwords", *range(100_000))
    # When another comes
    message = build_message(HASH_PASSWORD, {})
    with pytest.raises(QueueFull):
        producer.enqueue(message, job=build_queued_job(message, utc_now()))
    # Then nothing of it is there, and other queues take theirs
    assert valkey.key_names() == ["catfeeder:passwords"]
    producer.enqueue(build_message(RENEW_OATHS, {}))


def test_the_depth_is_the_number_of_messages_that_wait(producer: SealedBroker) -> None:
    assert producer.depth("control") == 0
    for _ in range(3):
        producer.enqueue(build_message(RENEW_OATHS, {}))
    assert producer.depth("control") == 3
    assert producer.depth("passwords") == 0


def test_a_message_is_never_delayed(producer: SealedBroker) -> None:
    with pytest.raises(ValueError, match="write a row that falls due"):
        producer.enqueue(build_message(RENEW_OATHS, {}), delay=1)
    assert producer.depth("control") == 0


def test_a_lost_answer_does_not_make_two_of_one(valkey: ValkeyServer) -> None:
    # Given a server that takes a command and is too slow to say so
    hasty = SealedBroker(connect_redis(f"{valkey.url}?socket_timeout=0.2"), ENCODER)
    hasty.depth("control")
    # When a message is sent
    with valkey.frozen(), pytest.raises(QueueUnreachable):
        hasty.enqueue(build_message(RENEW_OATHS, {}))
    # Then it is there once at most, however long one waits
    assert SealedBroker(valkey.client, ENCODER).depth("control") <= 1
    hasty.client.close()
