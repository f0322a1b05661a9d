"""Log records as text and as JSON lines: which job they are of, and what none of them shows."""

from __future__ import annotations

import dataclasses
import json
import logging
from typing import Any

import dramatiq
import pytest
from dramatiq import MessageProxy

from catfeeder.client import Client
from catfeeder.messages import HASH_PASSWORD
from catfeeder.queue.broker import build_message
from catfeeder.queue.trace_context import request_id
from config import DebugSettings, Settings
from models.db.database import hold_connection
from models.events import TAB_EVENTS
from tests.waiting import wait_until
from worker.process.logs import set_up_logging

LOUD = DebugSettings(debug=True, testing=True)


def read(printed: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in printed.splitlines()]


def test_arguments_are_not_printed(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    # Given a message whose secret some other client has not wrapped
    message = build_message(HASH_PASSWORD, {"password": "hunter2"})
    assert "hunter2" in str(message)
    set_up_logging(settings)
    # When Dramatiq prints it
    logger = logging.getLogger("dramatiq.worker.WorkerThread")
    logger.error("Failed to process message %s with %s.", MessageProxy(message), "an exception")
    logger.error("Message %s was skipped.", message)
    # Then the job can be found, and the secret cannot
    name = f"hash_password (job {message.message_id})"
    first, second = capsys.readouterr().err.splitlines()
    assert first.endswith(
        f"[{logger.name}] [ERROR] Failed to process message {name} with an exception."
    )
    assert second.endswith(f"[ERROR] Message {name} was skipped.")


def test_other_records_pass_as_they_are(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    set_up_logging(settings)
    logging.getLogger("x").error("%(a)s", {"a": 1})
    logging.getLogger("x").error("100 %")
    printed = capsys.readouterr().err.splitlines()
    assert [line.rpartition("] ")[2] for line in printed] == ["1", "100 %"]


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_debug_shows_our_details_and_no_third_partys(
    tables: Settings, capsys: pytest.CaptureFixture[str], log_format: str
) -> None:
    # Given a process at level DEBUG, whose database holds a profile and an address
    set_up_logging(dataclasses.replace(tables, debug=LOUD, log_format=log_format))
    with hold_connection():
        list(TAB_EVENTS.select().where(TAB_EVENTS.subject == "alice@cats.example"))
    # Then our own details are printed, and Peewee's statements with their values are not
    logging.getLogger("worker.x").debug("a detail")
    [line] = capsys.readouterr().err.splitlines()
    assert "a detail" in line
    # And without it neither is
    set_up_logging(tables)
    logging.getLogger("worker.x").debug("a detail")
    assert capsys.readouterr().err == ""


def test_a_json_line_has_the_fields_of_its_record(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    set_up_logging(dataclasses.replace(settings, log_format="json"))
    try:
        raise ValueError("two\nlines")
    except ValueError:
        extra = {"connection_id": "c-1", "provider": "house"}
        logging.getLogger("actors.x").exception("It failed: %s.", "why", extra=extra)
    [line] = read(capsys.readouterr().err)
    assert "ValueError: two\nlines" in line.pop("exc_info")
    assert line.pop("timestamp").endswith("+00:00")
    assert line == {
        "level": "ERROR",
        "logger": "actors.x",
        "thread": "MainThread",
        "message": "It failed: why.",
        "connection_id": "c-1",
        "provider": "house",
    }


def test_a_record_names_the_job_that_its_thread_performs(
    client: Client,
    worker: dramatiq.Worker,
    settings: Settings,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given a worker at work
    assert worker
    set_up_logging(dataclasses.replace(settings, log_format="json"))

    def log(*_arguments: object) -> bytes:
        logging.getLogger("actors.x").info("At work.")
        return b"$2b$04$" + b"x" * 53

    monkeypatch.setattr("bcrypt.hashpw", log)
    # When a job logs something, and another thread does later
    job = client.hash_password("hunter2", rounds=4)
    wait_until(lambda: job.record().status.is_final)
    logging.getLogger("actors.x").info("Idle.")
    # Then the first line names the job, and the other none
    at_work, idle = read(capsys.readouterr().err)
    assert (at_work["job_id"], at_work["message_name"]) == (job.id, "hash_password")
    assert "job_id" not in idle


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_a_line_names_the_request_that_it_is_of(
    settings: Settings, capsys: pytest.CaptureFixture[str], log_format: str
) -> None:
    set_up_logging(dataclasses.replace(settings, log_format=log_format))
    token = request_id.set("shop-17")
    logging.getLogger("actors.renewal").warning("It failed.")
    request_id.reset(token)
    logging.getLogger("actors.renewal").warning("It failed.")

    first, second = capsys.readouterr().err.splitlines()
    if log_format == "json":
        assert json.loads(first)["request_id"] == "shop-17"
    else:
        assert first.endswith("It failed. [request shop-17]")
    assert "shop-17" not in second
    assert "request" not in second
