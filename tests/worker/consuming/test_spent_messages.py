"""A Redis writer pushes once more the bytes of what was performed, and nothing comes of it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import bcrypt
import pytest

from actors.queue.dead_letters import DeadLetters
from catfeeder.client import Client
from catfeeder.messages import CLEAN_TOKENS, HASH_PASSWORD, MessageType
from catfeeder.queue.broker import build_message
from catfeeder.queue.jobs.scripts import job_key
from catfeeder.sealing import Secret
from tests.conftest import StartWorker
from tests.dead_letters import set_aside
from tests.servers import ValkeyServer
from tests.waiting import wait_until
from worker.consuming.broker import ConsumingBroker

#: By how each ends: done, refused as foreseen, failed unforeseen, and no job at all.
ENDS: dict[str, tuple[MessageType, dict[str, Any]]] = {
    "succeeded": (HASH_PASSWORD, {"password": Secret("hunter2"), "rounds": 4}),
    "refused": (HASH_PASSWORD, {"password": Secret("x" * 73), "rounds": 4}),
    "dead": (HASH_PASSWORD, {"password": Secret("breaks"), "rounds": 4}),
    "sweep": (CLEAN_TOKENS, {}),
}


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What was hashed so far; hashing `breaks` fails once."""
    hashed: list[bytes] = []

    def hash_and_count(password: bytes, salt: bytes) -> bytes:
        hashed.append(password)
        if password == b"breaks" and hashed.count(password) == 1:
            raise RuntimeError
        return hashpw(password, salt)

    hashpw = bcrypt.hashpw
    monkeypatch.setattr(bcrypt, "hashpw", hash_and_count)
    return hashed


def push(client: Client, queue: str, copied: Mapping[Any, Any]) -> None:
    """Put copied messages on their queue, as one who can write Redis does."""
    for redis_message_id, body in copied.items():
        client.redis.hset(f"catfeeder:{queue}.msgs", redis_message_id, body)
        client.redis.rpush(f"catfeeder:{queue}", redis_message_id)


def await_idle(valkey: ValkeyServer, queue: str) -> None:
    """Return once nothing of a queue waits or is in hand."""
    wait_until(lambda: not valkey.client.exists(f"catfeeder:{queue}.msgs"))


@pytest.mark.parametrize("ends", ENDS)
@pytest.mark.parametrize("threads", [1, 2])
def test_what_was_performed_is_not_performed_once_more(  # noqa: PLR0917
    service: Client,
    broker: ConsumingBroker,
    valkey: ValkeyServer,
    start_worker: StartWorker,
    hashed: list[bytes],
    caplog: pytest.LogCaptureFixture,
    ends: str,
    threads: int,
) -> None:
    # Given the bytes of a message, copied from Redis, that was performed
    kind, arguments = ENDS[ends]
    job = service.enqueue(kind, **arguments)
    copied = service.redis.hgetall(f"catfeeder:{kind.queue}.msgs")
    start_worker(threads=threads, prefetch=threads)
    await_idle(valkey, kind.queue)
    letters = DeadLetters(broker).ids(kind.queue)
    done = list(hashed)
    # When they are pushed once more, and what Redis knows of the job is deleted
    service.redis.delete(job_key(job.id))
    push(service, kind.queue, copied)
    await_idle(valkey, kind.queue)
    # Then nothing is performed, and an operator sees why
    [kept] = set_aside(broker)
    assert kept["reason"] == "It was performed before, and this is a copy of its bytes."
    assert kept["reason"] in caplog.text
    assert hashed == done
    assert not service.redis.exists(job_key(job.id))
    assert DeadLetters(broker).counts(kind.queue)["spent_message"] == 1
    # And an operator's replay of what had failed is another message
    sent, left = DeadLetters(broker).replay(kind.queue, letters)
    assert (sent, left) == (letters, [])
    await_idle(valkey, kind.queue)
    assert [password for password in hashed if password not in done or ends == "dead"] == (
        [b"breaks", b"breaks"] if ends == "dead" else []
    )


def test_a_message_is_spent_for_as_long_as_it_would_be_performed(
    client: Client, broker: ConsumingBroker, valkey: ValkeyServer, start_worker: StartWorker
) -> None:
    # Given senders whose clocks are right, half an hour ahead, and two hours ahead
    arguments = {"password": Secret("hunter2"), "rounds": 4}
    now = int(time.time() * 1000)
    for name, hours in {"right": 0, "ahead": 0.5, "far": 2}.items():
        message = build_message(HASH_PASSWORD, arguments).copy(
            message_timestamp=now + int(hours * 3_600_000), options={"redis_message_id": name}
        )
        push(client, message.queue_name, {name.encode(): broker.encoder.encode(message.asdict())})
    # When they are performed
    start_worker()
    await_idle(valkey, HASH_PASSWORD.queue)
    # Then each is remembered until it is too old, and the last is refused
    lived = {name: valkey.client.ttl(f"catfeeder:spent:{name}") for name in ("right", "ahead")}
    assert 60 <= lived["right"] <= 71
    assert 1800 + 60 <= lived["ahead"] <= 1800 + 71
    [kept] = set_aside(broker)
    assert kept["redis_message_id"] == "far"
    assert "set the clock of its sender right" in kept["reason"]
