"""Dead letters: listed without their contents, bounded in number and age, and replayed."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import bcrypt
import pytest

from actors.errors import CursorInvalid
from actors.queue.dead_letters import TTL_SECONDS, DeadLetters
from actors.queue.quarantine import quarantine
from catfeeder.client import Client
from catfeeder.clock import utc_now
from catfeeder.errors import QueueFull
from catfeeder.messages import (
    CLEAN_TOKENS,
    EXCHANGE_CODE,
    HASH_PASSWORD,
    PASSWORDS,
    RENEW_CONNECTION,
    RENEW_CONNECTIONS,
    MessageType,
)
from catfeeder.queue.broker import MAX_QUEUE_LENGTH, build_message
from catfeeder.queue.encoder import MAX_MESSAGE_BYTES, UnreadableMessage, build_quarantine_message
from catfeeder.queue.jobs.store import JobError, JobStore
from catfeeder.sealing import Secret
from tests.conftest import StartWorker
from tests.jobs import fail, succeed
from tests.servers import ValkeyServer
from tests.waiting import wait_until
from worker.consuming.broker import ConsumingBroker
from worker.consuming.recognition import KillsWorkers

LONG_AGO = 1_600_000_000_000


@pytest.fixture
def letters(broker: ConsumingBroker) -> DeadLetters:
    return DeadLetters(broker)


def sealed(broker: ConsumingBroker, **changes: Any) -> bytes:
    """Return a message as it stands on a queue."""
    arguments = {"password": Secret("hunter2"), "rounds": 4}
    message = dataclasses.replace(build_message(HASH_PASSWORD, arguments), **changes)
    options = {"redis_message_id": "an id"}
    return broker.encoder.encode(message.copy(options=options).asdict())


def wrapped(broker: ConsumingBroker, body: bytes, error: UnreadableMessage) -> bytes:
    return broker.encoder.encode(build_quarantine_message(PASSWORDS, "an id", error, body))


def test_a_broken_job_is_listed_with_its_reason_and_without_what_it_holds(
    client: Client,
    letters: DeadLetters,
    start_worker: StartWorker,
    valkey: ValkeyServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given an actor with a fault
    def fail(*_: object) -> None:
        raise RuntimeError("hunter3")

    monkeypatch.setattr(bcrypt, "hashpw", fail)
    start_worker()
    # When a job meets it
    job = client.hash_password("hunter2")
    wait_until(lambda: letters.counts(PASSWORDS))
    # Then its letter names the job
    [letter], cursor = letters.page(PASSWORDS, None, 10)
    assert (letter.reason, letter.actor, letter.job_id) == (
        *("internal_error", "hash_password"),
        job.id,
    )
    assert cursor is None
    assert "hunter" not in str(letter)
    assert not [name for name in valkey.key_names() if name.endswith("passwords.msgs")]


def test_a_letter_names_its_provider_and_its_connections(
    broker: ConsumingBroker, letters: DeadLetters
) -> None:
    def add(message_type: MessageType, arguments: dict[str, Any]) -> None:
        message = build_message(message_type, arguments).copy(options={"redis_message_id": "x"})
        body = broker.encoder.encode(message.asdict())
        letters.add(message_type.queue, message_type.name, "internal_error", body)

    code = {"provider": "house", "code": Secret("hunter2"), "state": Secret("s")}
    add(EXCHANGE_CODE, code)
    add(RENEW_CONNECTION, {"connection_id": "an id"})
    add(RENEW_CONNECTIONS, {"leases": [["one", 1, "then"], ["two", 1, "then"]]})
    named = {
        letter.actor: (letter.provider, letter.connection_ids)
        for queue in ("oauth", "renewals")
        for letter in letters.page(queue, None, 10)[0]
    }
    assert named == {
        "exchange_code": ("house", ()),
        "renew_connection": (None, ("an id",)),
        "renew_connections": (None, ("one", "two")),
    }


def test_of_replays_at_once_one_sends(broker: ConsumingBroker, letters: DeadLetters) -> None:
    # Given letters that several operators replay at the same time
    ids = [str(number) for number in range(40)]
    for letter_id in ids:
        body = sealed(broker, message_id=letter_id)
        letters.add(PASSWORDS, letter_id, "internal_error", body)
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda _: letters.replay(PASSWORDS, ids), range(4)))
    # Then each is sent once, and each operator knows which he sent
    assert sorted(letter for sent, _ in answers for letter in sent) == sorted(ids)
    assert broker.depth(PASSWORDS) == len(ids)


def test_a_second_letter_of_a_job_that_waits_stays(
    broker: ConsumingBroker, letters: DeadLetters
) -> None:
    # Given two letters of one job, as at-least-once delivery may leave them
    for letter_id in ("one", "other"):
        letters.add(PASSWORDS, letter_id, "internal_error", sealed(broker, message_id="a-job"))
    # When both are replayed, and one of them named twice
    assert letters.replay(PASSWORDS, ["one", "one", "other"]) == (["one"], ["other"])
    # Then the job is on the queue once
    assert broker.depth(PASSWORDS) == 1
    # And once it has succeeded, the other letter does not have it performed again
    jobs = JobStore(broker.client, broker.encoder.sealer)
    succeed(jobs, "a-job", {"password_hash": "…"})
    assert letters.replay(PASSWORDS, ["other"]) == ([], ["other"])
    assert broker.depth(PASSWORDS) == 1


def test_a_replay_onto_a_full_queue_keeps_the_letter(
    broker: ConsumingBroker, letters: DeadLetters
) -> None:
    letters.add(PASSWORDS, "a", "internal_error", sealed(broker))
    filled = f"for _ = 1, {MAX_QUEUE_LENGTH} do redis.call('RPUSH', KEYS[1], 'x') end"
    broker.client.eval(filled, 1, f"catfeeder:{PASSWORDS}")
    with pytest.raises(QueueFull):
        letters.replay(PASSWORDS, ["a"])
    assert letters.ids(PASSWORDS) == ["a"]


def test_a_letter_is_discarded_once(
    broker: ConsumingBroker, letters: DeadLetters, valkey: ValkeyServer
) -> None:
    letters.add(PASSWORDS, "a", "internal_error", sealed(broker))
    assert letters.discard(PASSWORDS, ["a", "a", "b"]) == (["a"], ["b"])
    assert letters.ids(PASSWORDS) == []
    assert not [name for name in valkey.key_names() if ".XQ" in name]


def test_the_largest_message_is_replayed_from_quarantine(
    broker: ConsumingBroker, letters: DeadLetters, valkey: ValkeyServer
) -> None:
    # Given a message of nearly the largest size that killed three workers
    arguments = {"password": Secret("x" * (MAX_MESSAGE_BYTES - 1024)), "rounds": 4}
    body = sealed(broker, kwargs=arguments)
    valkey.client.hset(f"catfeeder:{PASSWORDS}.msgs", "an id", body)
    valkey.client.rpush(f"catfeeder:{PASSWORDS}", "an id")
    valkey.client.set("catfeeder:ends:an id", 3)
    message = next(broker.consume(PASSWORDS))
    assert message is not None
    # When it is set aside, and its stand-in was delivered twice
    for _ in range(2):
        quarantine(**message.kwargs)
    # Then there is one letter of it, and it can be sent anew
    [letter], _ = letters.page(PASSWORDS, None, 10)
    assert (letter.reason, letter.actor) == ("kills_workers", "hash_password")
    assert letters.replay(PASSWORDS, [letter.id]) == ([letter.id], [])


def test_pages_come_latest_first(broker: ConsumingBroker, letters: DeadLetters) -> None:
    for number in range(5):
        letters.add(PASSWORDS, str(number), "internal_error", sealed(broker))
    first, cursor = letters.page(PASSWORDS, None, 3)
    second, end = letters.page(PASSWORDS, cursor, 3)
    assert [letter.id for letter in first + second] == ["4", "3", "2", "1", "0"]
    assert end is None
    assert letters.page(PASSWORDS, "99", 3) == ([], None)


def test_a_made_up_cursor_is_refused(letters: DeadLetters) -> None:
    for cursor in ("", "-1", "x", "1" * 40, "²"):
        with pytest.raises(CursorInvalid):
            letters.page(PASSWORDS, cursor, 3)


def test_a_flood_makes_room_and_nothing_is_kept_for_ever(
    broker: ConsumingBroker, valkey: ValkeyServer
) -> None:
    letters = DeadLetters(broker, maximum_count=3)
    for number in range(5):
        letters.add(PASSWORDS, str(number), "internal_error", sealed(broker))
    # Then the latest are there, and no more
    assert letters.ids(PASSWORDS) == ["2", "3", "4"]
    names = [name for name in valkey.key_names() if ".XQ" in name]
    assert len(names) == 3
    for name in names:
        assert 0 < valkey.client.ttl(name) <= TTL_SECONDS
    assert {valkey.client.hlen(name) for name in names[1:]} == {3}
    # And those that are too old go when another comes
    DeadLetters(broker, ttl_seconds=0).add(PASSWORDS, "late", "internal_error", sealed(broker))
    assert letters.ids(PASSWORDS) in ([], ["late"])


def test_a_failed_job_can_be_performed_again_however_old(
    service: Client, broker: ConsumingBroker, letters: DeadLetters, start_worker: StartWorker
) -> None:
    # Given a job that failed long ago for a reason that has gone
    job = service.hash_password("hunter2", rounds=4)
    body = sealed(broker, message_id=job.id, message_timestamp=LONG_AGO)
    letters.add(PASSWORDS, "a", "internal_error", body)
    broker.client.delete("catfeeder:passwords", "catfeeder:passwords.msgs")
    fail(service.jobs, job.id, JobError("internal_error", "It failed.", permanent=True), utc_now())
    # When it is replayed
    assert letters.replay(PASSWORDS, ["a"]) == (["a"], [])
    # Then it is a job like any other, once, under its old id, without its old end
    assert letters.ids(PASSWORDS) == []
    assert job.record().status == "queued"
    assert broker.depth(PASSWORDS) == 1
    start_worker()
    assert job.result(timeout=60)["password_hash"]
    assert letters.replay(PASSWORDS, ["a"]) == ([], ["a"])


def test_quarantined_messages_are_replayed_once_they_are_understood(
    broker: ConsumingBroker, letters: DeadLetters
) -> None:
    # Given one that killed its workers, one that only a newer release knows, and rubbish
    good, other = sealed(broker), sealed(broker, actor_name="of a newer release")
    letters.add(PASSWORDS, "good", "kills_workers", wrapped(broker, good, KillsWorkers()))
    letters.add(PASSWORDS, "new", "unknown_message", wrapped(broker, other, UnreadableMessage()))
    letters.add(PASSWORDS, "bad", "unreadable", wrapped(broker, b"rubbish", UnreadableMessage()))
    # When all are replayed
    sent, left = letters.replay(PASSWORDS, letters.ids(PASSWORDS))
    # Then what can be sent is, and the rest is still there
    assert (sent, set(left)) == (["good"], {"new", "bad"})
    assert set(letters.ids(PASSWORDS)) == {"new", "bad"}
    assert broker.depth(PASSWORDS) == 1


def test_a_message_that_is_no_job_has_no_record_when_replayed(
    broker: ConsumingBroker, letters: DeadLetters, valkey: ValkeyServer
) -> None:
    message = build_message(CLEAN_TOKENS, {}).copy(options={"redis_message_id": "x"})
    letters.add("control", "a", "internal_error", broker.encoder.encode(message.asdict()))
    assert letters.replay("control", ["a"]) == (["a"], [])
    assert not [name for name in valkey.key_names() if ":job:" in name]
