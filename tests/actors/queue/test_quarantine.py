"""Quarantine: messages are kept whole, never in the clear, and their jobs fail."""

from __future__ import annotations

import os

import pytest

from actors.queue.quarantine import quarantine
from catfeeder.client import Client
from catfeeder.errors import JobFailed
from tests.dead_letters import set_aside
from tests.servers import ValkeyServer
from worker.consuming.broker import ConsumingBroker


def test_a_quarantined_message_is_kept_whole(broker: ConsumingBroker) -> None:
    quarantine("passwords", "first", "It is not JSON.", b"\x00\xff")
    quarantine("passwords.DQ", "second", "It is empty.", b"")
    names = ("queue", "redis_message_id", "reason", "body", "code", "job_id", "sealed_by")
    assert set_aside(broker) == [
        dict(zip(names, (*arguments, "unreadable_message", None, None), strict=True))
        for arguments in (
            ("passwords", "first", "It is not JSON.", b"\x00\xff"),
            ("passwords.DQ", "second", "It is empty.", b""),
        )
    ]


@pytest.mark.usefixtures("broker")
def test_another_apps_plaintext_is_not_kept_as_it_came(valkey: ValkeyServer) -> None:
    quarantine("passwords", "plain", "It was not sealed.", b'{"password": "hunter2"}')
    [kept] = map(os.fsencode, valkey.client.hvals("catfeeder:passwords.XQ.msgs"))
    assert b"hunter2" not in kept


@pytest.mark.parametrize(
    ("code", "is_permanent"),
    [
        ("kills_workers", True),
        # A worker of a newer release may take the same request a moment later.
        ("unknown_message", False),
    ],
)
@pytest.mark.usefixtures("broker")
def test_its_job_fails_with_the_reason(service: Client, code: str, is_permanent: bool) -> None:
    job = service.hash_password("hunter2")
    redis_message_id = job.record().redis_message_id or ""
    arguments = ("passwords", redis_message_id, "It has ended.", b"")
    quarantine(*arguments, code=code, job_id=job.id)
    with pytest.raises(JobFailed, match="It has ended") as failed:
        job.result(timeout=60)
    assert (failed.value.code, failed.value.permanent) == (code, is_permanent)


@pytest.mark.usefixtures("broker")
def test_an_id_cannot_forge_a_line_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    quarantine("passwords", "x\nERROR all is lost", "It is not JSON.", b"hunter2")
    assert caplog.messages == [
        r"Set aside 'x\nERROR all is lost' from queue passwords: It is not JSON."
    ]
