"""Tests of jobs during an outage of the database: caller and log get a sentence."""

from __future__ import annotations

import logging
import uuid
from dataclasses import replace
from pathlib import Path

import dramatiq
import pytest

from catfeeder.client import Client
from catfeeder.errors import JobFailed
from catfeeder.messages import RENEW_CONNECTION
from config import Settings
from models.db.database import open_database


def test_a_database_that_is_away_is_reported_in_a_sentence_without_a_traceback(
    settings: Settings,
    client: Client,
    worker: dramatiq.Worker,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    # Given a database that is away
    url = f"postgresql://postgres@/postgres?host={tmp_path}"
    open_database(replace(settings, database_url=url))
    # When a job needs it
    job = client.enqueue(RENEW_CONNECTION, connection_id=str(uuid.UUID(int=1)))
    with pytest.raises(JobFailed) as failure:
        job.result(timeout=60)
    worker.join()
    # Then the caller gets a code that says that it may pass
    assert failure.value.code == "database_unreachable"
    # And the log names in one sentence the setting to look at
    logged = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert [record.exc_info for record in logged] == [None]
    assert logged[0].getMessage().startswith("renew_connection is left undone: The database cannot")
