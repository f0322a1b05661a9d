"""Job starts: what is short is recorded by its end, what lasts while it lasts, the rest before."""

from __future__ import annotations

import dataclasses
import logging
from datetime import timedelta
from typing import Any

import pytest
from dramatiq import MessageProxy
from dramatiq.middleware import SkipMessage

from catfeeder.client import Client, Job
from catfeeder.clock import utc_now
from catfeeder.queue.jobs.index import index_key
from catfeeder.queue.jobs.store import JobStatus, JobStore
from catfeeder.queue.lua_scripts import call_script
from tests.servers import ValkeyServer
from tests.worker.consuming.middleware.conftest import build_proxy
from worker.consuming.broker import ConsumingBroker
from worker.consuming.middleware.job_starts import JobStarts, UnrecordedStarts
from worker.consuming.middleware.jobs import JobEndings, JobResults


class Thread:
    """A worker's thread, as far as job records go."""

    def __init__(self, broker: ConsumingBroker, jobs: JobStore) -> None:
        unrecorded = UnrecordedStarts()
        self._broker, self._jobs, self._endings = broker, jobs, JobEndings()
        self.starts = JobStarts(jobs, unrecorded)
        self._results = JobResults(jobs, self._endings, unrecorded)

    def begin(self, message: MessageProxy) -> bool:
        """Begin with a message; false when it is to be skipped."""
        try:
            self.starts.before_process_message(self._broker, message)
        except SkipMessage:
            return False
        return True

    def end(self, message: MessageProxy) -> bool:
        """End it with a result; false where the job has ended otherwise."""
        self._results.store_result(message, "a result", 0)
        [ending] = self._endings.values()
        return bool(call_script(self._jobs._client, ending))


@pytest.fixture
def thread(broker: ConsumingBroker, impatient: JobStore) -> Thread:
    return Thread(broker, impatient)


def sent_before(message: MessageProxy, seconds: float) -> MessageProxy:
    """Return a message as if it had been sent so long ago."""
    inner = message._message
    sent_at = inner.message_timestamp - int(seconds * 1000)
    return MessageProxy(dataclasses.replace(inner, message_timestamp=sent_at))


def test_a_short_job_is_recorded_by_its_end_alone(
    thread: Thread, job: Job[Any], message: MessageProxy
) -> None:
    # Given a hash that has just been asked for, and that a thread begins with
    before = utc_now()
    assert thread.begin(message)
    assert job.record().status is JobStatus.QUEUED
    # When it ends
    assert thread.end(message)
    # Then its record says when it started
    record = job.record()
    assert record.started_at is not None
    assert record.finished_at is not None
    assert record.enqueued_at <= before <= record.started_at <= record.finished_at
    assert record.result == "a result"


def test_a_job_that_lasts_is_seen_to_run(
    thread: Thread, job: Job[Any], message: MessageProxy
) -> None:
    # Given a thread that has begun with a hash
    thread.begin(message)
    begun_before = utc_now()
    # When a heartbeat comes at once, then it says nothing
    thread.starts.record_lasting(utc_now())
    assert job.record().status is JobStatus.QUEUED
    # When one comes later, the job is seen to run, since when it does
    thread.starts.record_lasting(utc_now() + timedelta(seconds=1))
    record = job.record()
    assert record.status is JobStatus.RUNNING
    assert record.started_at is not None
    assert record.started_at <= begun_before
    # And once it has ended, no heartbeat changes it
    assert thread.end(message)
    thread.starts.record_lasting(utc_now() + timedelta(seconds=2))
    ended = job.record()
    assert (ended.status, ended.started_at) == (JobStatus.SUCCEEDED, record.started_at)


def test_a_job_can_be_cancelled_as_long_as_it_is_queued(
    thread: Thread, job: Job[Any], message: MessageProxy
) -> None:
    # Given a hash that a thread works at, and whose record says so of nothing yet
    thread.begin(message)
    # When it is cancelled, then it stays so
    assert job.cancel()
    assert not thread.end(message)
    record = job.record()
    assert (record.status, record.result) == (JobStatus.CANCELLED, None)


def test_an_apps_own_job_is_listed_with_its_end(
    thread: Thread, client: Client, valkey: ValkeyServer
) -> None:
    # Given a hash that an app has put onto the queue itself
    job = client.hash_password("hunter2")
    message = build_proxy(job)
    thread.begin(message)
    # When it ends, then its app's jobs have it
    assert thread.end(message)
    [key] = [name for name in valkey.key_names() if name.startswith(index_key(""))]
    assert valkey.client.zrange(key, 0, -1) == [job.id.encode()]


@pytest.mark.parametrize("is_cancelled", [False, True])
def test_a_job_that_has_waited_waits_for_the_broker_without_a_traceback(
    thread: Thread,
    job: Job[Any],
    message: MessageProxy,
    *,
    valkey: ValkeyServer,
    caplog: pytest.LogCaptureFixture,
    is_cancelled: bool,
) -> None:
    # Given a fetched job that is not fresh, perhaps cancelled, and a Redis that hangs
    assert not is_cancelled or job.cancel()
    with valkey.frozen_for(0.3):
        # When a worker begins with it
        has_begun = thread.begin(sent_before(message, 1.5))
    # Then it has waited for the record in Redis, and has logged one sentence
    assert has_begun is not is_cancelled
    assert job.record().status == ("cancelled" if is_cancelled else "running")
    logged = [(record.levelno, record.exc_info) for record in caplog.records]
    assert logged == [(logging.WARNING, None)]
