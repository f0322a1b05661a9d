"""The stand-in of the queue: what fails is a line of the log, and the schedule goes on."""

from __future__ import annotations

import pytest

from catfeeder.messages import CATALOGUE, RENEW_OATHS
from config import CronsSettings
from models.db import database as database_module
from worker.queue.local import LocalQueue
from worker.schedule import schedule


@pytest.mark.usefixtures("tables")
@pytest.mark.parametrize("name", sorted(each.name for each in schedule(CronsSettings())))
def test_every_message_of_the_schedule_is_performed_without_a_queue(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    LocalQueue().enqueue(CATALOGUE[name])
    assert caplog.text == ""


@pytest.mark.usefixtures("tables")
def test_a_message_that_fails_is_a_line_of_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_arguments: object, **_options: object) -> None:
        raise OSError("gone")

    monkeypatch.setattr(database_module.database.obj, "connect", refuse)

    LocalQueue().enqueue(RENEW_OATHS)

    assert "renew_oaths is left undone: The database cannot be used" in caplog.text
