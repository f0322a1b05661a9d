"""The record of a job: which change may follow which, what is announced, what Redis may see."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from catfeeder.queue.envelope import AppSealer, ServiceSealer
from catfeeder.queue.jobs.parts import JobRun, seal_end
from catfeeder.queue.jobs.scripts import job_key
from catfeeder.queue.jobs.store import JobError, JobRecord, JobStatus, JobStore
from catfeeder.queue.keys import AppKey, KeyName
from catfeeder.queue.lua_scripts import call_script
from catfeeder.queue.redis.connection import connect_redis
from catfeeder.sealing import Key
from tests.jobs import MESSAGE_ID, fail, put_job, start, succeed
from tests.servers import ValkeyServer
from tests.waiting import wait_until

ROOT = Key(b"k" * 32)
SEALER = ServiceSealer([ROOT])
ERROR = JobError("password_too_long", "It has 73 bytes.", permanent=True)
NOW = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
LATER = NOW + timedelta(seconds=1)

Change = Callable[[JobStore], bool]
START: Change = lambda jobs: start(jobs, "id", LATER)  # noqa: E731
SUCCEED: Change = lambda jobs: succeed(jobs, "id", {"a": 1}, LATER)  # noqa: E731
FAIL: Change = lambda jobs: fail(jobs, "id", ERROR, LATER)  # noqa: E731
CANCEL: Change = lambda jobs: jobs.cancel("id", LATER)  # noqa: E731


@pytest.fixture
def jobs(valkey: ValkeyServer) -> JobStore:
    """A store that knows one job, which is queued."""
    store = JobStore(valkey.client, SEALER)
    put_job(store, "id", NOW)
    return store


def record_of(jobs: JobStore) -> JobRecord:
    record = jobs.get("id")
    assert record is not None
    return record


@pytest.mark.parametrize(
    ("before", "change", "after"),
    [
        ([], START, "running"),
        ([], SUCCEED, "succeeded"),
        ([], FAIL, "failed"),
        ([], CANCEL, "cancelled"),
        # A worker died, and its message came to another one.
        ([START], START, "running"),
        ([START], SUCCEED, "succeeded"),
        ([START], FAIL, "failed"),
    ],
)
def test_a_change_that_may_follow_does(
    jobs: JobStore, before: list[Change], change: Change, after: str
) -> None:
    assert all(earlier(jobs) for earlier in before)
    assert change(jobs) is True
    assert record_of(jobs).status == after


@pytest.mark.parametrize("end", [SUCCEED, FAIL, CANCEL])
@pytest.mark.parametrize("change", [START, SUCCEED, FAIL, CANCEL])
def test_nothing_follows_an_end(jobs: JobStore, end: Change, change: Change) -> None:
    assert end(jobs)
    ended = jobs.get("id")
    assert change(jobs) is False
    assert jobs.get("id") == ended


def test_an_unknown_job_can_start_but_neither_end_nor_be_cancelled(valkey: ValkeyServer) -> None:
    jobs = JobStore(valkey.client, SEALER)
    assert jobs.get("id") is None
    assert [SUCCEED(jobs), FAIL(jobs), CANCEL(jobs)] == [False] * 3
    # Its record may have gone by its TTL, while the message still waited.
    assert START(jobs) is True
    assert SUCCEED(jobs) is True


@pytest.mark.parametrize("change", [START, SUCCEED, FAIL, CANCEL])
def test_each_change_keeps_the_record_for_another_hour(
    jobs: JobStore, valkey: ValkeyServer, change: Change
) -> None:
    [key] = valkey.key_names()
    assert 3590 < int(valkey.client.ttl(key)) <= 3600
    valkey.client.expire(key, 5)
    change(jobs)
    assert 3590 < int(valkey.client.ttl(key)) <= 3600


@pytest.mark.parametrize(("change", "times"), [(START, 0), (SUCCEED, 1), (FAIL, 1), (CANCEL, 1)])
def test_an_end_is_announced_once(
    jobs: JobStore, valkey: ValkeyServer, change: Change, times: int
) -> None:
    with valkey.client.pubsub(ignore_subscribe_messages=True) as listener:
        listener.subscribe("catfeeder:ended:id")
        listener.get_message(timeout=1)
        change(jobs)
        change(jobs)
        received = [listener.get_message(timeout=0.1) for _ in range(2)]
    assert len([message for message in received if message]) == times


@pytest.mark.parametrize("ends_at_seconds", [0, 0.2])
def test_an_end_is_announced_to_each_thread_that_waits(
    jobs: JobStore, valkey: ValkeyServer, ends_at_seconds: float
) -> None:
    # Given a job that ends just after a thread has looked, before or while it waits
    ending = threading.Timer(ends_at_seconds, SUCCEED, [jobs])
    began = time.monotonic()
    ending.start()
    wait_until(lambda: ends_at_seconds or not ending.is_alive())
    # When two wait for it, then both get the record
    with ThreadPoolExecutor(2) as pool:
        records = list(pool.map(jobs.await_end, [record_of(jobs)] * 2, [0.9, 0.9]))
    assert ends_at_seconds <= time.monotonic() - began
    # And the announcement expires soon
    assert 0 < int(valkey.client.ttl("catfeeder:ended:id")) <= 10
    assert records == [jobs.get("id")] * 2


@pytest.mark.parametrize("end", [SUCCEED, FAIL, CANCEL])
def test_the_record_is_announced_as_it_is(jobs: JobStore, end: Change) -> None:
    if end is not CANCEL:
        START(jobs)
    end(jobs)
    assert jobs.await_end(record_of(jobs), 0.9) == jobs.get("id")


@pytest.mark.parametrize(
    "announcement", [b"", b"1", b"x:", b"1:a", b"99:", b"-1:a", b"6:status4:lost"]
)
def test_a_foreign_announcement_is_no_record(jobs: JobStore, announcement: bytes) -> None:
    assert jobs.read_end(record_of(jobs), announcement) is None


def test_a_record_is_announced_for_its_own_job_alone(jobs: JobStore, valkey: ValkeyServer) -> None:
    other = put_job(jobs, "other")
    SUCCEED(jobs)
    announcement = os.fsencode(valkey.client.lindex("catfeeder:ended:id", 0) or b"")
    assert jobs.read_end(record_of(jobs), announcement) == jobs.get("id")
    assert jobs.read_end(other, announcement) is None


@pytest.mark.parametrize("sending", [MESSAGE_ID, "another sending", None])
@pytest.mark.parametrize("end", [SUCCEED, FAIL, CANCEL])
def test_a_sender_reads_an_end_as_it_is(
    jobs: JobStore, valkey: ValkeyServer, end: Change, sending: str | None
) -> None:
    # Given a job as its sender knows it, or knows it no more
    sent = replace(record_of(jobs), sealed_by=None, redis_message_id=sending)
    # When it ends
    end(jobs)
    announcement = os.fsencode(valkey.client.lindex("catfeeder:ended:id", 0) or b"")
    # Then all of it is read, whatever had to be opened for that
    assert jobs.read_end(sent, announcement) == jobs.get("id")


def test_a_sender_believes_no_end_of_another_job(jobs: JobStore, valkey: ValkeyServer) -> None:
    # Given two jobs, of which one ends
    put_job(jobs, "other")
    succeed(jobs, "other", "its result")
    sent, ended = record_of(jobs), valkey.client.hget(job_key("other"), "end") or b""
    # When another program announces that end as the other job's
    announcement = b"3:end%d:%b" % (len(ended), os.fsencode(ended))
    # Then it is no record
    assert jobs.read_end(sent, announcement) is None


@pytest.mark.parametrize("seconds", [-1, 0, 1e-9, 0.2])
def test_a_wait_ends_with_its_timeout(jobs: JobStore, seconds: float) -> None:
    began = time.monotonic()
    jobs.await_end(record_of(jobs), seconds)
    assert seconds <= time.monotonic() - began < seconds + 20


def test_a_long_wait_ends_with_the_poll_interval(jobs: JobStore) -> None:
    began = time.monotonic()
    JobStore(jobs._client, SEALER, poll_interval=0.1).await_end(record_of(jobs), 60)
    assert 0.09 < time.monotonic() - began < 20


def test_a_wait_ends_before_a_connection_with_a_short_timeout_gives_it_up(
    valkey: ValkeyServer, jobs: JobStore
) -> None:
    # Given a connection that gives a command less time than Redis is late to end a wait
    with connect_redis(f"{valkey.url}?socket_timeout=0.15") as client:
        hasty = JobStore(client, SEALER)
        # When a job that does not end is waited for, then no wait fails
        job = record_of(jobs)
        assert [hasty.await_end(job, 5) for _ in range(4)] == [None] * 4
        # And its end is found
        SUCCEED(jobs)
        assert (hasty.await_end(job, 5) or hasty.get("id")) == jobs.get("id")


def test_a_wait_that_the_server_unblocks_ends_without_an_error(
    jobs: JobStore, valkey: ValkeyServer
) -> None:
    # Given a thread that waits
    def waiting() -> list[int]:
        return [int(one["id"]) for one in valkey.client.client_list() if "b" in one["flags"]]

    with ThreadPoolExecutor(1) as pool:
        wait = pool.submit(jobs.await_end, record_of(jobs), 0.9)
        wait_until(waiting)
        # When the server unblocks it with an error, as it does when it becomes a replica
        valkey.client.client_unblock(waiting()[0], error=True)
        # Then it returns
        wait.result(timeout=20)


def test_redis_sees_neither_results_nor_reasons(jobs: JobStore, valkey: ValkeyServer) -> None:
    put_job(jobs, "other", NOW)
    succeed(jobs, "id", {"token": "hunter2"}, NOW)
    fail(jobs, "other", JobError("hunter2", "hunter2", permanent=False), NOW)
    values = [
        os.fsencode(value)
        for job_id in ("id", "other")
        for value in valkey.client.hvals(job_key(job_id))
    ]
    assert len(values) == 8
    assert not [value for value in values if b"hunter2" in value]


def test_a_result_may_look_like_anything(jobs: JobStore) -> None:
    # Given what a provider has written into a profile, which would be a mark in a message
    result = {"raw": [{"$bytes": "?"}, {"$bytes": "AA=="}, {"$secret": "x"}, {"name": "\ud800é"}]}
    succeed(jobs, "id", result, NOW)
    assert record_of(jobs).result == result


def part_of(valkey: ValkeyServer, job_id: str, part: str) -> bytes:
    return os.fsencode(valkey.client.hget(job_key(job_id), part) or b"")


def write(valkey: ValkeyServer, job_id: str, **fields: str | bytes) -> None:
    """Write fields of a job's hash, as one who can write Redis does."""
    valkey.client.hset(job_key(job_id), items=[part for pair in fields.items() for part in pair])


EDITS: dict[str, dict[str, Callable[[ValkeyServer], str | bytes]]] = {
    "end of another job": {"end": lambda valkey: part_of(valkey, "ended", "end")},
    "end of an earlier sending": {"end": lambda valkey: part_of(valkey, "earlier", "end")},
    "start of another job": {"start": lambda valkey: part_of(valkey, "ended", "start")},
    "start as end": {"end": lambda valkey: part_of(valkey, "id", "start")},
    "another job's part": {"job": lambda valkey: part_of(valkey, "ended", "job")},
    "all of another job": {
        name: lambda valkey, name=name: part_of(valkey, "ended", name)  # type: ignore[misc]
        for name in ("job", "start", "end")
    },
    "rubbish": {"end": lambda _: b"rubbish"},
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_parts_that_were_moved_make_no_record(
    jobs: JobStore,
    valkey: ValkeyServer,
    edit: dict[str, Callable[[ValkeyServer], str | bytes]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    # Given a running job, one that has ended, and the end of an earlier sending of the first
    START(jobs)
    put_job(jobs, "ended", NOW)
    start(jobs, "ended", NOW)
    succeed(jobs, "ended", {"valid": True}, NOW)
    earlier = JobRun("id", "hash_password", "an earlier message")
    write(valkey, "earlier", end=seal_end(SEALER, earlier, JobStatus.SUCCEEDED, NOW, result=1))
    # When a Redis writer moves parts of them
    write(valkey, "id", status="succeeded", **{name: take(valkey) for name, take in edit.items()})
    # Then nothing is believed, and the log says that something is wrong
    assert jobs.get("id") is None
    assert "What Redis holds of job 'id' is not its record" in caplog.text


def test_a_worker_of_an_earlier_sending_changes_nothing(jobs: JobStore) -> None:
    # Given a job that was sent anew while a worker, cut off from Redis, still performed it
    earlier = JobRun("id", "hash_password", "an earlier message")
    # When that worker ends it, and another app's message begins under its id
    blog = KeyName("blog", 1)
    ended = call_script(jobs._client, jobs.build_success(earlier, {"a": 1}, NOW))
    begun = jobs.start(JobRun("id", "hash_password", "another's message", blog), NOW)
    # Then the new sending goes on
    assert (ended, begun) == (0, False)
    assert START(jobs)
    assert SUCCEED(jobs)
    assert record_of(jobs).status == "succeeded"


def test_clear_fields_say_nothing(jobs: JobStore, valkey: ValkeyServer) -> None:
    # When a Redis writer writes what an earlier release held in clear
    lies: dict[str, str | bytes] = {
        "status": "succeeded",
        "actor": "x",
        "app": "other",
        "result": b"1",
        "error": b"2",
    }
    write(valkey, "id", **lies)
    # Then the job is what its parts say
    record = record_of(jobs)
    assert (record.status, record.actor, record.app) == ("queued", "hash_password", "default")
    assert (record.result, record.error) == (None, None)


@pytest.mark.parametrize(
    "members",
    [
        {"app": "shop"},
        {"app": None},
        {"enqueued_at": "2026-01-02T03:04:05"},
        {"enqueued_at": 9},
        {"actor": ["hash_password"]},
        {"queue": {}},
        {"redis_message_id": None},
    ],
    ids=str,
)
def test_an_app_that_seals_nonsense_has_no_job(
    jobs: JobStore, valkey: ValkeyServer, members: dict[str, object]
) -> None:
    # Given a job whose part an app has sealed with its own key, and filled as it pleased
    blog = AppSealer([AppKey.derive(ROOT, "blog", 1)])
    fair = {"actor": "hash_password", "queue": "passwords", "app": "blog"}
    fair |= {"enqueued_at": NOW.isoformat(), "redis_message_id": "its-message"}
    write(valkey, "id", job=blog.seal(json.dumps(fair).encode(), "job:id:job"))
    assert record_of(jobs).app == "blog"
    write(valkey, "id", job=blog.seal(json.dumps(fair | members).encode(), "job:id:job"))
    assert jobs.get("id") is None
