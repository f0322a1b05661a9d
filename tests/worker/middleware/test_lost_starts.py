"""Jobs whose start cannot be put on record, since Redis went away after they were fetched."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from dramatiq import MessageProxy

from catfeeder.broker import new_message
from catfeeder.jobs import JobStore
from catfeeder.messages import RENEW_CONNECTION
from catfeeder.redis_connection import connect_redis
from config import Settings
from worker.consuming import ConsumingBroker
from worker.middleware.job_life import JobLife
from worker.queue import queue_sealer


def test_a_job_is_performed_and_its_lost_start_told_without_a_traceback(
    broker: ConsumingBroker, settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # Given a job in hand, and a Redis that is away
    away = connect_redis(f"unix://{tmp_path / 'away.sock'}")
    life = JobLife(JobStore(away, queue_sealer(settings)))
    message = MessageProxy(new_message(RENEW_CONNECTION, {"connection_id": "x"}))
    # When the worker begins with it
    life.before_process_message(broker, message)
    # Then nothing keeps it from being performed, and one sentence says what is missing
    told = [(record.levelno, record.exc_info) for record in caplog.records]
    assert told == [(logging.WARNING, None)]
    assert message.message_id in caplog.text
