"""The consuming broker: bad messages, lost connections, and that no other message suffers."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from dramatiq import Consumer, Message, MessageProxy
from dramatiq.errors import ConnectionClosed

from catfeeder.client import Client
from catfeeder.clock import utc_now
from catfeeder.errors import QueueUnreachable
from catfeeder.messages import CLEAN_TOKENS, HASH_PASSWORD, PASSWORDS
from catfeeder.queue import lua_scripts
from catfeeder.queue.broker import build_message
from catfeeder.queue.encoder import SealedEncoder
from catfeeder.queue.envelope import ServiceSealer
from catfeeder.queue.lanes import DEPTH
from catfeeder.queue.lua_scripts import Call, Script, call_script
from catfeeder.queue.redis.connection import connect_redis
from catfeeder.sealing import Key, Secret
from tests.conftest import StartWorker
from tests.dead_letters import set_aside
from tests.jobs import run_of
from tests.servers import ValkeyServer
from tests.waiting import wait_until
from worker.consuming.broker import ConsumingBroker
from worker.consuming.in_flight.scripts import ACKNOWLEDGE, END_JOB, FETCH

DELAYED = f"{PASSWORDS}.DQ"
#: Too old for a message that only newer workers know.
LONG_AGO = 1_600_000_000_000


def put(valkey: ValkeyServer, queue: str, redis_message_id: str | bytes, body: bytes) -> None:
    """Write onto a queue as Dramatiq's script does, whatever the body."""
    valkey.client.hset(f"catfeeder:{queue}.msgs", redis_message_id, body)
    valkey.client.rpush(f"catfeeder:{queue}", redis_message_id)


def hash_message(**changes: Any) -> Message[Any]:
    return dataclasses.replace(
        build_message(HASH_PASSWORD, {"password": Secret("x"), "rounds": 4}), **changes
    )


def sealed(broker: ConsumingBroker, message: Message[Any]) -> bytes:
    return broker.encoder.encode(message.asdict())


def queued(valkey: ValkeyServer, queue: str = PASSWORDS) -> int:
    return int(call_script(valkey.client, Call(DEPTH, [f"catfeeder:{queue}"], [])))


def leftovers(valkey: ValkeyServer) -> list[str]:
    """The keys that a queue leaves while it still has, or owes, a message to perform."""
    return [
        key
        for key in valkey.key_names()
        if "__acks__" in key or (key.endswith(".msgs") and not key.endswith(".XQ.msgs"))
    ]


def take(consumer: Consumer) -> MessageProxy:
    message = next(consumer)
    assert message is not None
    return message


def bad_bodies(broker: ConsumingBroker) -> dict[str, bytes]:
    """One of each kind that must not be performed, by its redis_message_id."""
    foreign = SealedEncoder(ServiceSealer([Key(b"f" * 32)]))
    sweep = build_message(CLEAN_TOKENS, {})
    stray = dataclasses.replace(sweep, queue_name=PASSWORDS, message_timestamp=LONG_AGO)
    unsealed = {
        "empty": b"",
        "random": b"\x00\xff" * 40,
        "clear": b'{"actor_name": "clean_tokens"}',
    }
    own_id = {
        "unknown": hash_message(actor_name="unknown", message_timestamp=LONG_AGO),
        "with other arguments": hash_message(kwargs={"pass": 1}, message_timestamp=LONG_AGO),
        "without arguments": hash_message(kwargs={}, message_timestamp=LONG_AGO),
        "in the clear": hash_message(kwargs={"password": "x"}, message_timestamp=LONG_AGO),
        "with arguments by place": hash_message(args=("x",), message_timestamp=LONG_AGO),
        "for another queue": sweep,
        "to answer another queue": hash_message(queue_name=sweep.queue_name),
        "of another queue": stray,
        "of no time": hash_message(actor_name="unknown", message_timestamp=10**400),
        "of no name": hash_message(message_id="\ud800"),
    }
    return unsealed | {
        "foreign": foreign.encode(hash_message(options={"redis_message_id": "foreign"}).asdict()),
        **{
            name: sealed(broker, message.copy(options={"redis_message_id": name}))
            for name, message in own_id.items()
        },
        "copied": sealed(broker, hash_message(options={"redis_message_id": "original"})),
        "without": sealed(broker, hash_message(options={})),
        "delays": sealed(broker, hash_message(options={"redis_message_id": "delays", "eta": 9})),
        "throws": sealed(broker, hash_message(options={"redis_message_id": "throws", "throws": 9})),
        **{
            f"asked by {asked_by!r}": sealed(
                broker,
                hash_message(
                    options={"redis_message_id": f"asked by {asked_by!r}", "requester": asked_by}
                ),
            )
            for asked_by in (9, "", "a" * 33, "two words", "line\n", ["admin"], {"$bytes": "eA=="})
        },
    }


def test_bad_bytes_among_good_ones_are_set_aside(
    client: Client, broker: ConsumingBroker, valkey: ValkeyServer, start_worker: StartWorker
) -> None:
    # Given a queue on which good messages and bad ones alternate
    bad = bad_bodies(broker)
    jobs = []
    for name, body in bad.items():
        jobs.append(client.hash_password("hunter2", rounds=4))
        put(valkey, PASSWORDS, name, body)
    # When a worker consumes it
    start_worker()
    # Then every good one is performed
    assert all(job.result(timeout=60)["password_hash"] for job in jobs)
    # And every bad one is in quarantine, under its own id and with its own bytes
    wait_until(lambda: not leftovers(valkey))
    assert {kept["redis_message_id"]: kept["body"] for kept in set_aside(broker)} == bad
    assert {kept["queue"] for kept in set_aside(broker)} == {PASSWORDS}


def test_two_of_the_same_bytes_are_two(
    broker: ConsumingBroker, valkey: ValkeyServer, start_worker: StartWorker
) -> None:
    for name in ("first", "second"):
        put(valkey, PASSWORDS, name, b"the same")
    assert broker.get_declared_queues()
    start_worker()
    wait_until(lambda: not leftovers(valkey))
    assert sorted(kept["redis_message_id"] for kept in set_aside(broker)) == ["first", "second"]


def test_an_id_without_a_message_is_forgotten(
    client: Client, broker: ConsumingBroker, valkey: ValkeyServer, start_worker: StartWorker
) -> None:
    # Given an id without a body, and one that no message could carry
    valkey.client.rpush(f"catfeeder:{PASSWORDS}", "nothing")
    put(valkey, PASSWORDS, b"\xff\xfe", b"a body")
    job = client.hash_password("hunter2", rounds=4)
    # When a worker consumes the queue
    start_worker()
    # Then the message behind them is performed, and nothing stays owed
    assert job.result(timeout=60)
    wait_until(lambda: not leftovers(valkey))
    assert set_aside(broker) == []


def test_a_message_on_the_delay_queue_is_set_aside(
    broker: ConsumingBroker, valkey: ValkeyServer, start_worker: StartWorker
) -> None:
    # Given a message that asks to wait for a thousand years in a worker's memory
    options = {"redis_message_id": "delayed", "eta": 10**15}
    put(valkey, DELAYED, "delayed", sealed(broker, hash_message(options=options)))
    # When a worker finds it
    start_worker()
    # Then it does not wait
    wait_until(lambda: not leftovers(valkey))
    assert [kept["queue"] for kept in set_aside(broker)] == [DELAYED]


def test_what_is_kept_of_a_large_one_is_its_beginning(
    broker: ConsumingBroker, valkey: ValkeyServer
) -> None:
    put(valkey, PASSWORDS, "large", b"x" * 1_000_000)
    assert len(take(broker.consume(PASSWORDS)).kwargs["body"]) == 65_536


def test_messages_come_in_the_order_in_which_they_were_sent(
    client: Client, broker: ConsumingBroker
) -> None:
    jobs = [client.hash_password("hunter2").id for _ in range(20)]
    consumer = broker.consume(PASSWORDS, prefetch=20)
    assert [take(consumer).message_id for _ in jobs] == jobs


@pytest.mark.parametrize("prefetch", [1, 4])
def test_jobs_are_done_however_often_the_connection_is_cut(
    client: Client, valkey: ValkeyServer, start_worker: StartWorker, prefetch: int
) -> None:
    # Given a worker at work
    start_worker(prefetch=prefetch)
    jobs = []
    for _ in range(15):
        # When its connections are cut between any two of its commands
        jobs += [client.hash_password("hunter2", rounds=4) for _ in range(3)]
        valkey.cut_connections()
        client.redis.connection_pool.disconnect()
    # Then every job is done, and nothing stays owed
    wait_until(lambda: all(job.record().status == "succeeded" for job in jobs))
    wait_until(lambda: not leftovers(valkey))


@pytest.mark.parametrize("queue", [PASSWORDS, DELAYED])
def test_what_was_fetched_and_lost_goes_back(
    broker: ConsumingBroker, valkey: ValkeyServer, queue: str
) -> None:
    # Given messages that were fetched by a command whose answer was lost
    for name in ("first", "second"):
        put(valkey, queue, name, b"a body")
    assert len(broker._dispatch("fetch")(queue, 10)) == 2
    assert queued(valkey, queue) == 0
    # When the consumer is built anew
    broker.consume(queue)
    # Then they are on the queue again
    assert queued(valkey, queue) == 2
    assert not [key for key in valkey.key_names() if "__acks__" in key]


def test_a_message_in_process_stays_in_flight(
    client: Client, broker: ConsumingBroker, valkey: ValkeyServer
) -> None:
    # Given one message in process, and two that its consumer has fetched
    for _ in range(3):
        client.hash_password("hunter2")
    old = broker.consume(PASSWORDS, prefetch=3)
    in_process = take(old)
    # When the consumer is built anew
    new = broker.consume(PASSWORDS, prefetch=3)
    # Then the two are on the queue, and the one can still be acknowledged
    assert queued(valkey) == 2
    new.ack(in_process)
    assert not [key for key in valkey.key_names() if "__acks__" in key]


def test_a_requeued_message_can_be_fetched_again(
    client: Client, broker: ConsumingBroker, valkey: ValkeyServer
) -> None:
    job = client.hash_password("hunter2")
    consumer = broker.consume(PASSWORDS)
    message = take(consumer)
    consumer.requeue([message])
    assert queued(valkey) == 1
    assert take(broker.consume(PASSWORDS)).message_id == job.id


@pytest.mark.parametrize("end", ["ack", "nack"])
def test_an_id_that_is_enqueued_again_is_fetched_again(
    client: Client, broker: ConsumingBroker, valkey: ValkeyServer, end: str
) -> None:
    # Given a message that was done with
    client.hash_password("hunter2")
    consumer = broker.consume(PASSWORDS)
    message = take(consumer)
    getattr(consumer, end)(message)
    # When its id comes once more, and Redis has forgotten that it is spent
    valkey.client.delete(f"catfeeder:spent:{message.options['redis_message_id']}")
    put(valkey, PASSWORDS, message.options["redis_message_id"], message.encode())
    # Then it is a message like any other
    assert take(consumer).message_id == message.message_id


def test_a_stray_is_found_by_the_next_fetch(client: Client, broker: ConsumingBroker) -> None:
    # Given a message that a frozen server delivers after its consumer was built anew
    stray = client.hash_password("hunter2")
    consumer = broker.consume(PASSWORDS, prefetch=2)
    broker._dispatch("fetch")(PASSWORDS, 1)
    # When another message is fetched
    other = client.hash_password("hunter2")
    found = [take(consumer), take(consumer)]
    # Then both are there, the older one first
    assert [message.message_id for message in found] == [stray.id, other.id]


@pytest.fixture
def hasty(broker: ConsumingBroker, valkey: ValkeyServer) -> Iterator[ConsumingBroker]:
    """A broker that does not wait long for an answer."""
    client = connect_redis(f"{valkey.url}?socket_timeout=0.5&client_name=hasty")
    yield ConsumingBroker(client, broker.encoder, [], {})
    client.close()


def test_a_slow_server_is_a_lost_connection(hasty: ConsumingBroker, valkey: ValkeyServer) -> None:
    consumer = hasty.consume(PASSWORDS)
    with valkey.frozen():
        with pytest.raises(ConnectionClosed, match=r"[Tt]ime"):
            next(consumer)
        with pytest.raises(ConnectionClosed, match=r"[Tt]ime"):
            hasty.consume(PASSWORDS)


def test_a_connection_lost_in_the_middle_of_a_fetch_loses_no_message(
    client: Client, broker: ConsumingBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a server that fetches, and whose answer is lost
    job = client.hash_password("hunter2")
    consumer = broker.consume(PASSWORDS)

    def call_and_lose(*call: Any) -> None:
        call_script(*call)
        raise redis.TimeoutError

    with monkeypatch.context() as patch:
        patch.setattr("worker.consuming.in_flight.messages.call_script", call_and_lose)
        with pytest.raises(ConnectionClosed, match=r"[Tt]ime"):
            next(consumer)
    # When Dramatiq builds the consumer anew
    consumer = broker.consume(PASSWORDS)
    # Then the message is there
    assert take(consumer).message_id == job.id


def test_with_a_prefetch_of_one_the_next_message_comes_with_the_acknowledgement(
    client: Client, broker: ConsumingBroker, valkey: ValkeyServer
) -> None:
    # Given one message in process, and two that wait
    jobs = [client.hash_password("hunter2") for _ in range(3)]
    consumer = broker.consume(PASSWORDS, prefetch=1)
    message = take(consumer)
    # When it is acknowledged
    consumer.ack(message)
    # Then the next has come with the answer, alone
    assert queued(valkey) == 1
    reads = valkey.client.info("stats")["total_reads_processed"]
    assert take(consumer).message_id == jobs[1].id
    assert valkey.client.info("stats")["total_reads_processed"] == reads + 1


def test_a_stopping_consumer_fetches_no_further_message(
    client: Client, broker: ConsumingBroker, valkey: ValkeyServer
) -> None:
    for _ in range(2):
        client.hash_password("hunter2")
    consumer = broker.consume(PASSWORDS, prefetch=1)
    message = take(consumer)
    broker.stopping.set()
    consumer.ack(message)
    assert queued(valkey) == 1


def test_a_message_is_there_until_its_job_has_ended(
    client: Client, broker: ConsumingBroker, valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a running job, and a restarted server that knows one of the scripts
    job = client.hash_password("hunter2")
    consumer = broker.consume(PASSWORDS, prefetch=1)
    message = take(consumer)
    valkey.client.script_flush()
    call_script(valkey.client, Call(ACKNOWLEDGE, ["none", "neither", "nothing"], ["x", 0]))
    # When the job ends, in as many round trips as that takes
    seen = []

    def look_and_send(*arguments: Any) -> Any:
        seen.append((valkey.client.hlen(f"catfeeder:{PASSWORDS}.msgs"), job.record().status))
        return send(*arguments)

    send = lua_scripts._send
    end = client.jobs.build_success(run_of(client.jobs, job.id), "a result", utc_now())
    broker.endings[message.options["redis_message_id"]] = end
    with monkeypatch.context() as patch:
        patch.setattr(lua_scripts, "_send", look_and_send)
        consumer.ack(message)
    # Then a worker that dies between two of them leaves the message to others
    assert seen == [(1, "queued"), (1, "queued")]
    assert job.record().result == "a result"
    assert not leftovers(valkey)


@pytest.mark.parametrize("known", [[], [ACKNOWLEDGE], [FETCH], [END_JOB], [FETCH, END_JOB]])
def test_no_message_comes_twice_however_much_of_the_scripts_a_server_has_forgotten(
    client: Client, broker: ConsumingBroker, valkey: ValkeyServer, known: list[Script]
) -> None:
    # Given a running job, one that waits, and a server that knows some of the scripts
    jobs = [client.hash_password("hunter2") for _ in range(2)]
    consumer = broker.consume(PASSWORDS, prefetch=1)
    message = take(consumer)
    valkey.client.script_flush()
    for script in known:
        valkey.client.script_load(script.text)
    # When the first ends
    end = client.jobs.build_success(run_of(client.jobs, jobs[0].id), "a result", utc_now())
    broker.endings[message.options["redis_message_id"]] = end
    consumer.ack(message)
    # Then the other is next, and nothing after it
    other = take(consumer)
    assert other.message_id == jobs[1].id
    consumer.ack(other)
    assert consumer._fetched == []  # type: ignore[attr-defined]
    assert not leftovers(valkey)


def test_the_first_job_after_a_start_is_delivered_once(
    client: Client,
    valkey: ValkeyServer,
    start_worker: StartWorker,
    caplog: pytest.LogCaptureFixture,
) -> None:
    # Given a server that has just started
    valkey.client.script_flush()
    start_worker(threads=1, prefetch=1)
    # When the first jobs come
    for _ in range(2):
        assert client.hash_password("hunter2", rounds=4).result(timeout=60)
    # Then no log line tells of a message that was skipped
    assert [line for line in caplog.messages if "skipped" in line] == []
    assert not [record for record in caplog.records if record.levelname == "WARNING"]


def test_a_connection_lost_with_an_acknowledgement_loses_no_message(
    client: Client, broker: ConsumingBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a server that takes a message off and gives the last one, and whose answer is lost
    job = [client.hash_password("hunter2") for _ in range(2)][-1]
    consumer = broker.consume(PASSWORDS, prefetch=1)
    message = take(consumer)

    def call_and_lose(*call: Any) -> None:
        call_script(*call)
        raise redis.TimeoutError

    with monkeypatch.context() as patch:
        patch.setattr("worker.consuming.in_flight.messages.call_script", call_and_lose)
        with pytest.raises(ConnectionClosed, match=r"[Tt]ime"):
            consumer.ack(message)
    # When Dramatiq tries again
    consumer.ack(message)
    # Then the other message is there
    assert take(consumer).message_id == job.id


@pytest.mark.parametrize(
    ("forbid", "allow", "reason"),
    [
        (("REPLICAOF", "127.0.0.1", 1), ("REPLICAOF", "NO", "ONE"), "read only"),
        (
            ("CONFIG", "SET", "min-replicas-to-write", 1),
            ("CONFIG", "SET", "min-replicas-to-write", 0),
            "NOREPLICAS",
        ),
    ],
    ids=["a replica, as in a failover", "without replicas"],
)
def test_a_server_that_may_not_write_is_a_lost_connection(
    client: Client,
    broker: ConsumingBroker,
    valkey: ValkeyServer,
    *,
    forbid: tuple[str | int, ...],
    allow: tuple[str | int, ...],
    reason: str,
) -> None:
    # Given a message in process
    client.hash_password("hunter2")
    consumer = broker.consume(PASSWORDS)
    message = take(consumer)
    # When the server takes no writes
    valkey.client.execute_command(*forbid)
    try:
        for act in (consumer.ack, consumer.nack):
            with pytest.raises(ConnectionClosed, match=reason):
                act(message)
        with pytest.raises(QueueUnreachable):
            client.hash_password("hunter2")
        # A worker that stops meanwhile ignores the error: others requeue its messages.
        consumer.requeue([message])
    finally:
        valkey.client.execute_command(*allow)
    # Then the message can be acknowledged once it does again
    consumer.ack(message)
    assert not leftovers(valkey)


def test_an_unacknowledgeable_message_takes_no_slot(
    client: Client, broker: ConsumingBroker, valkey: ValkeyServer
) -> None:
    # Given a message that can never be acknowledged
    client.hash_password("hunter2")
    consumer = broker.consume(PASSWORDS, prefetch=1)
    stuck = take(consumer)
    acks = f"catfeeder:__acks__.{broker.broker_id}.{PASSWORDS}"
    valkey.client.delete(acks)
    valkey.client.set(acks, "not a set")
    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        consumer.ack(stuck)
    valkey.client.delete(acks)
    valkey.client.sadd(acks, stuck.options["redis_message_id"])
    # When there is another
    job = client.hash_password("hunter2")
    # Then it is next, and the first does not come again
    assert take(consumer).message_id == job.id


def test_enqueueing_raises_the_errors_of_the_client(broker: ConsumingBroker) -> None:
    nowhere = connect_redis("unix:///nowhere/valkey.sock")
    with pytest.raises(QueueUnreachable):
        ConsumingBroker(nowhere, broker.encoder, [], {}).enqueue(hash_message())


def test_closing_the_broker_closes_its_connections(
    hasty: ConsumingBroker, valkey: ValkeyServer
) -> None:
    def connections() -> int:
        return [each["name"] for each in valkey.client.client_list()].count("hasty")

    hasty.consume(PASSWORDS)
    assert connections() == 1
    hasty.close()
    wait_until(lambda: connections() == 0)


def test_redis_errors_that_no_wait_can_mend_stay_what_they_are(
    broker: ConsumingBroker, valkey: ValkeyServer
) -> None:
    valkey.client.set("catfeeder:__heartbeats__", "not a sorted set")
    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        next(broker.consume(PASSWORDS))
