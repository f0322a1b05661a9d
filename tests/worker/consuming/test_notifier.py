"""Queue notifications: they wake an idle worker at once, and a lost one loses no message."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Any

import dramatiq
import pytest
import redis
from dramatiq import Message, MessageProxy
from dramatiq.errors import ConnectionClosed
from redis.client import PubSub

from catfeeder.client import Client, Job
from catfeeder.messages import CONTROL, PASSWORDS
from catfeeder.queue.lanes import NOTIFICATION_PREFIX, idle_key
from catfeeder.queue.redis.connection import connect_redis
from tests.conftest import StartWorker
from tests.servers import ValkeyServer
from tests.waiting import wait_until
from worker.consuming.broker import ConsumingBroker
from worker.consuming.consumer import QueueConsumer
from worker.consuming.notifier import QueueNotifier
from worker.process.perform import stop_worker

#: Longer than any test waits for a worker: what is done earlier was notified.
LONG_SECONDS = 100.0


@pytest.fixture
def start_polling(start_worker: StartWorker, valkey: ValkeyServer) -> Callable[[float], None]:
    """Starts a worker that polls at an interval in seconds, and returns once it listens."""

    def start(poll_seconds: float) -> None:
        start_worker(threads=1, poll_seconds=poll_seconds)
        wait_until(lambda: listeners(valkey) == 1)

    return start


def listeners(valkey: ValkeyServer) -> int:
    """Return how many processes listen for the queue of passwords."""
    [(_, count)] = valkey.client.pubsub_numsub(f"{NOTIFICATION_PREFIX}{PASSWORDS}")
    return int(count)


def seconds_until_done(job: Job[Any]) -> float:
    began = time.monotonic()
    assert job.result(timeout=2 * LONG_SECONDS)
    return time.monotonic() - began


def test_a_notification_wakes_an_idle_worker(
    client: Client, start_polling: Callable[[float], None]
) -> None:
    start_polling(LONG_SECONDS)
    for _ in range(3):
        # Given a worker that went to sleep a moment ago
        time.sleep(0.3)
        # When a job is asked for, then it is done long before the sleep ends
        assert seconds_until_done(client.hash_password("hunter2", rounds=4)) < LONG_SECONDS / 2


def test_a_lost_notification_delays_a_message_by_one_poll_interval(
    client: Client, start_polling: Callable[[float], None], valkey: ValkeyServer
) -> None:
    # Given a worker that sleeps, and a job whose message was kept from it
    job = client.hash_password("hunter2", rounds=4)
    [found] = valkey.client.lrange(f"catfeeder:{PASSWORDS}", 0, -1)
    valkey.client.delete(f"catfeeder:{PASSWORDS}")
    start_polling(0.5)
    # When the message comes without a notification
    valkey.client.rpush(f"catfeeder:{PASSWORDS}", found)
    # Then it is performed
    assert seconds_until_done(job) < LONG_SECONDS


def test_a_new_subscription_finds_what_came_before_it(
    client: Client, start_polling: Callable[[float], None], valkey: ValkeyServer
) -> None:
    # Given a worker that lost its subscription
    start_polling(LONG_SECONDS)
    time.sleep(0.3)
    valkey.client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
    # When a job is asked for, then it is done after the new subscription
    assert seconds_until_done(client.hash_password("hunter2", rounds=4)) < LONG_SECONDS / 2
    wait_until(lambda: listeners(valkey) == 1)


def test_an_unreachable_broker_is_logged_once(
    broker: ConsumingBroker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # Given a broker that is away for several attempts to listen
    tried = threading.Semaphore(0)

    def connect() -> PubSub:
        tried.release()
        raise redis.ConnectionError

    client = connect_redis("unix:///nowhere.sock")
    monkeypatch.setattr(client, "pubsub", connect)
    notifier = QueueNotifier(client, reconnect_seconds=0.01)
    worker = dramatiq.Worker(broker, queues={PASSWORDS}, worker_threads=1, worker_timeout=20)
    notifier.after_worker_boot(broker, worker)
    for _ in range(5):
        assert tried.acquire(timeout=60)
    notifier.before_worker_shutdown(broker, worker)
    notifier.after_worker_shutdown(broker, worker)
    assert caplog.text.count("Lost the connection for queue notifications") == 1


def test_a_worker_that_has_stopped_listens_no_more(
    start_worker: StartWorker, valkey: ValkeyServer
) -> None:
    worker = start_worker(threads=1)
    wait_until(lambda: listeners(valkey) == 1)
    wait_until(lambda: valkey.client.hlen("catfeeder:passwords.idle") == 1)
    stop_worker(worker, 60)
    assert listeners(valkey) == 0
    assert not valkey.client.exists("catfeeder:passwords.idle")
    assert "notifier" not in [thread.name for thread in threading.enumerate()]


def test_a_worker_listens_for_its_own_queues_alone(
    start_worker: StartWorker, valkey: ValkeyServer
) -> None:
    start_worker(threads=1, queues=[PASSWORDS])
    wait_until(lambda: listeners(valkey) == 1)
    channels = {os.fsdecode(channel) for channel in valkey.client.pubsub_channels()}
    queues = {name.removeprefix(NOTIFICATION_PREFIX).partition(":")[0] for name in channels}
    assert queues == {PASSWORDS}
    assert len(channels) == 2


def test_a_notification_between_fetch_and_wait_ends_the_wait(
    broker: ConsumingBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a notification just after a consumer has fetched nothing
    consumer = broker.consume(PASSWORDS, timeout=30_000)

    def look(*_: object) -> tuple[list[object], bool]:
        broker._notifier.event_of(PASSWORDS).set()
        return [], False

    monkeypatch.setattr(broker, "fetch", look)
    # Then it does not sleep
    began = time.monotonic()
    assert next(consumer) is None
    assert time.monotonic() - began < 20


def test_a_notification_is_good_for_one_fetch(broker: ConsumingBroker) -> None:
    consumer = broker.consume(PASSWORDS, timeout=300)
    broker._notifier.event_of(PASSWORDS).set()
    began = time.monotonic()
    assert next(consumer) is None
    assert time.monotonic() - began > 0.2


def test_a_consumer_that_has_taken_all_waits_before_it_fetches_again(
    client: Client, broker: ConsumingBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a consumer with room for two messages, three that wait, and a count of its fetches
    for _ in range(3):
        client.hash_password("hunter2")
    consumer = broker.consume(PASSWORDS, prefetch=2, timeout=100)
    asked: list[int] = []
    fetch = broker.fetch

    def count_and_fetch(queue_name: str, count: int) -> tuple[list[Message[Any]], bool]:
        asked.append(count)
        return fetch(queue_name, count)

    monkeypatch.setattr(broker, "fetch", count_and_fetch)
    # When it has given two away, and both are done
    done = [message for message in (next(consumer), next(consumer)) if message is not None]
    for message in done:
        consumer.ack(message)
    # Then it fetches at once, as the first fetch got all that it asked for
    assert next(consumer) is not None
    assert asked == [2, 2]
    # And as that got less, it waits before the next, which finds what has come without a notice
    client.hash_password("hunter2")
    assert next(consumer) is None
    assert asked == [2, 2]
    assert next(consumer) is not None


@pytest.mark.parametrize("end", ["ack", "nack", "requeue"])
def test_a_freed_slot_ends_the_wait(client: Client, broker: ConsumingBroker, end: str) -> None:
    # Given a consumer whose only place is taken, and another message that waits
    consumer = broker.consume(PASSWORDS, prefetch=1, timeout=30_000)
    for _ in range(2):
        client.hash_password("hunter2")
    in_hand = next(consumer)
    assert in_hand is not None
    found: list[object] = []
    looking = threading.Thread(target=lambda: found.append(next(consumer)))
    looking.start()
    time.sleep(0.1)
    assert looking.is_alive()
    # When the place becomes free
    getattr(consumer, end)([in_hand] if end == "requeue" else in_hand)
    # Then it sleeps no longer
    looking.join(20)
    assert not looking.is_alive()


def test_a_job_that_leaves_the_queue_empty_is_followed_by_no_fetch(
    client: Client, broker: ConsumingBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a process that performs one message of an app at a time, and two that wait
    broker.in_flight.app_limits[PASSWORDS] = 1
    for _ in range(2):
        client.hash_password("hunter2")
    consumer = broker.consume(PASSWORDS, prefetch=8, timeout=30_000)
    first = next(consumer)
    assert first is not None
    monkeypatch.setattr(broker, "fetch", lambda *_: pytest.fail("fetched again"))

    # When the first is done, then the second has come with the acknowledgement
    consumer.ack(first)
    second = next(consumer)
    assert second is not None

    # And when that is done, the consumer sleeps until another is announced
    consumer.ack(second)
    assert not broker._notifier.event_of(PASSWORDS).is_announced
    client.hash_password("hunter2")
    monkeypatch.undo()
    broker._notifier.event_of(PASSWORDS).set()
    assert next(consumer) is None
    assert next(consumer) is not None


def test_each_queue_has_an_event_of_its_own(broker: ConsumingBroker) -> None:
    assert broker._notifier.event_of(CONTROL) is broker._notifier.event_of(CONTROL)
    assert broker._notifier.event_of(CONTROL) is not broker._notifier.event_of(PASSWORDS)


def test_every_notification_ends_a_wait(broker: ConsumingBroker) -> None:
    # Given notifications all the time, though there is never a message
    event, stopping = broker._notifier.event_of(PASSWORDS), threading.Event()

    def notify() -> None:
        while not stopping.wait(0.005):
            event.set()

    notifying = threading.Thread(target=notify)
    notifying.start()
    # When a consumer looks again and again
    waits: list[float] = []
    consumer = broker.consume(PASSWORDS, timeout=5000)
    for _ in range(15):
        began = time.monotonic()
        assert next(consumer) is None
        waits.append(time.monotonic() - began)
    # Then each notification ends a wait: Dramatiq's consumer would wait longer each time
    assert min(waits[5:]) < 0.5
    stopping.set()
    notifying.join()


# -- Which thread fetches


def test_what_is_notified_or_follows_passes_the_consumers_thread_by(
    client: Client,
    broker: ConsumingBroker,
    valkey: ValkeyServer,
    start_polling: Callable[[float], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given a worker of one job of an app at a time, whose consumers' own threads wait
    broker.in_flight.app_limits[PASSWORDS] = 1
    given: list[object] = []
    look = QueueConsumer.__next__

    def look_and_note(consumer: QueueConsumer) -> MessageProxy | None:
        given.append(look(consumer))
        return given[-1]  # type: ignore[return-value]

    monkeypatch.setattr(QueueConsumer, "__next__", look_and_note)
    start_polling(LONG_SECONDS)
    wait_until(lambda: valkey.client.exists(idle_key(f"catfeeder:{PASSWORDS}")))
    # When jobs come, several at a time
    jobs = [client.hash_password("hunter2", rounds=4) for _ in range(5)]
    # Then all are done, and none went through those threads
    assert all(job.result(timeout=60) for job in jobs)
    assert {message for message in given if message} == set()


def test_what_the_notifiers_thread_cannot_fetch_the_consumers_own_does(
    client: Client,
    broker: ConsumingBroker,
    start_polling: Callable[[float], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given a connection that is lost whenever the notifier's thread fetches
    fetch, names = broker.fetch, list[str]()

    def fetch_or_lose(queue_name: str, count: int) -> tuple[list[Message[Any]], bool]:
        names.append(threading.current_thread().name)
        if names[-1] == "notifier":
            raise ConnectionClosed("lost")
        return fetch(queue_name, count)

    monkeypatch.setattr(broker, "fetch", fetch_or_lose)
    start_polling(LONG_SECONDS)
    # When a job comes, then it is done all the same, long before the poll
    assert client.hash_password("hunter2", rounds=4).result(timeout=60)
    assert "notifier" in names
