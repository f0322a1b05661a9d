"""A message in the log is a name and an id, whatever its arguments are."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator

import pytest
from dramatiq import MessageProxy

from catfeeder.broker import build_message
from catfeeder.messages import HASH_PASSWORD
from worker.process.logs import set_up_logging


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What the root logger's one handler prints."""
    text = io.StringIO()
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [logging.StreamHandler(text)])
    level = root.level
    yield text
    root.setLevel(level)


def test_arguments_are_not_printed(printed: io.StringIO) -> None:
    # Given a message whose secret some other client has not wrapped
    message = build_message(HASH_PASSWORD, {"password": "hunter2"})
    assert "hunter2" in str(message)
    set_up_logging(debug=False)
    # When Dramatiq prints it
    logger = logging.getLogger("dramatiq.worker.WorkerThread")
    logger.error("Failed to process message %s with %s.", MessageProxy(message), "an exception")
    logger.error("Message %s was skipped.", message)
    # Then the job can be found, and the secret cannot
    name = f"hash_password (job {message.message_id})"
    assert printed.getvalue() == (
        f"Failed to process message {name} with an exception.\nMessage {name} was skipped.\n"
    )


def test_other_records_pass_as_they_are(printed: io.StringIO) -> None:
    set_up_logging(debug=False)
    logging.getLogger("x").error("%(a)s", {"a": 1})
    logging.getLogger("x").error("100 %")
    assert printed.getvalue() == "1\n100 %\n"


@pytest.mark.parametrize(("debug", "level"), [(True, logging.DEBUG), (False, logging.WARNING)])
def test_debug_is_the_level_of_everything(printed: io.StringIO, debug: bool, level: int) -> None:
    logging.getLogger().setLevel(logging.WARNING)
    set_up_logging(debug=debug)
    logging.getLogger("x").debug("a detail")
    assert logging.getLogger().level == level
    assert printed.getvalue() == ("a detail\n" if debug else "")
