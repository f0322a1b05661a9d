"""The catalogue and the errors: the words that travel agree with each other."""

from __future__ import annotations

import pytest

from catfeeder import messages
from catfeeder.errors import CatFeederError, JobFailed, JobOutdated, QueueUnreachable
from catfeeder.messages import CATALOGUE, QUEUES, MessageType


def test_each_message_is_in_the_catalogue_under_its_own_name() -> None:
    named = {name: kind for name, kind in vars(messages).items() if isinstance(kind, MessageType)}
    assert {name.lower() for name in named} == set(CATALOGUE)
    assert all(CATALOGUE[kind.name] is kind for kind in named.values())
    assert all(name.lower() == kind.name for name, kind in named.items())


def test_each_message_has_a_queue_that_is_consumed() -> None:
    assert {kind.queue for kind in CATALOGUE.values()} == set(QUEUES)


def test_a_job_that_a_person_waits_for_does_not_wait_for_ever() -> None:
    unbounded = {kind.name for kind in CATALOGUE.values() if kind.max_age_seconds is None}
    # Nobody waits for these: they are rows, or for an operator.
    assert unbounded == {"renew_connections", "quarantine"}
    # A disconnect is carried out however late it is, and a copy of its message is not for ever.
    assert CATALOGUE["revoke_connection"].max_age_seconds == 7 * 86400


@pytest.mark.parametrize(
    ("error", "code", "detail"),
    [
        (
            QueueUnreachable(),
            "queue_unreachable",
            "The queue cannot be reached: check REDIS_URL and that its server runs.",
        ),
        (JobOutdated("It is late."), "job_outdated", "It is late."),
        (JobFailed("x_y", "It failed.", permanent=False), "x_y", "It failed."),
        (CatFeederError(), "cat_feeder_error", "Something went wrong in the auth worker."),
    ],
)
def test_an_error_has_a_code_and_a_sentence(error: CatFeederError, code: str, detail: str) -> None:
    assert (error.code, error.detail, str(error)) == (code, detail, detail)


def test_an_error_says_whether_a_repeat_may_help() -> None:
    assert CatFeederError().permanent is True
    assert QueueUnreachable().permanent is False
