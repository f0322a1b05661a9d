"""Jobs whose start cannot be put on record, since Redis went away after they were fetched."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from dramatiq import MessageProxy
from dramatiq.middleware import SkipMessage

from catfeeder.broker import build_message
from catfeeder.client import Client
from catfeeder.jobs import JobStore
from catfeeder.messages import RENEW_CONNECTION
from catfeeder.redis_connection import connect_redis
from tests.servers import ValkeyServer
from tests.waiting import wait_until
from worker.consuming.broker import ConsumingBroker
from worker.consuming.middleware.jobs import JobStarts


@pytest.fixture
def life(broker: ConsumingBroker, valkey: ValkeyServer) -> Iterator[JobStarts]:
    """What starts jobs, on a connection that does not wait long for an answer."""
    client = connect_redis(valkey.url, reply_timeout=0.3)
    yield JobStarts(JobStore(client, broker.encoder.sealer))
    client.close()


def _begins(life: JobStarts, broker: ConsumingBroker, message: MessageProxy) -> bool:
    """Tell whether a message may be performed."""
    try:
        life.before_process_message(broker, message)
    except SkipMessage:
        return False
    return True


@pytest.mark.parametrize("is_cancelled", [False, True])
def test_a_job_waits_for_the_broker_without_a_traceback(
    client: Client,
    broker: ConsumingBroker,
    life: JobStarts,
    valkey: ValkeyServer,
    caplog: pytest.LogCaptureFixture,
    *,
    is_cancelled: bool,
) -> None:
    # Given a job in hand, which somebody may have cancelled, and a Redis that hangs
    job = client.enqueue(RENEW_CONNECTION, connection_id="x")
    assert not is_cancelled or job.cancel()
    message = MessageProxy(build_message(RENEW_CONNECTION, {"connection_id": "x"}))
    message._message = message._message.copy(message_id=job.id)
    with valkey.frozen() as thaw, ThreadPoolExecutor(1) as worker:
        # When the worker begins with it
        beginning = worker.submit(_begins, life, broker, message)
        wait_until(lambda: caplog.records)
        thaw()
        has_begun = beginning.result()
    # Then it has waited for what Redis knows of it, and one sentence has told so
    assert has_begun is not is_cancelled
    assert job.record().status == ("cancelled" if is_cancelled else "running")
    told = [(record.levelno, record.exc_info) for record in caplog.records]
    assert told == [(logging.WARNING, None)]
