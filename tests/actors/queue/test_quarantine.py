"""What is set aside: all of it can be looked at, none of it in the clear, and its job is told."""

from __future__ import annotations

import os

import pytest

from actors.queue.quarantine import quarantine
from catfeeder.client import Client
from catfeeder.errors import JobFailed
from tests.dead_letters import set_aside
from tests.servers import ValkeyServer
from worker.consuming.broker import ConsumingBroker


def test_it_can_be_looked_at(broker: ConsumingBroker) -> None:
    quarantine("passwords", "first", "It is not JSON.", b"\x00\xff")
    quarantine("passwords.DQ", "second", "It is empty.", b"")
    told = {"code": "unreadable_message", "job_id": None}
    assert set_aside(broker) == [
        {
            "queue": "passwords",
            "redis_message_id": "first",
            "reason": "It is not JSON.",
            "body": b"\x00\xff",
            **told,
        },
        {
            "queue": "passwords.DQ",
            "redis_message_id": "second",
            "reason": "It is empty.",
            "body": b"",
            **told,
        },
    ]


@pytest.mark.usefixtures("broker")
def test_another_apps_plaintext_is_not_kept_as_it_came(valkey: ValkeyServer) -> None:
    quarantine("passwords", "plain", "It was not sealed.", b'{"password": "hunter2"}')
    [kept] = map(os.fsencode, valkey.client.hvals("catfeeder:passwords.XQ.msgs"))
    assert b"hunter2" not in kept


@pytest.mark.usefixtures("broker")
def test_whoever_waits_for_its_job_is_told(client: Client) -> None:
    job = client.hash_password("hunter2")
    quarantine("passwords", "x", "It has ended.", b"", code="kills_workers", job_id=job.id)
    with pytest.raises(JobFailed, match="It has ended") as failed:
        job.result(timeout=60)
    assert (failed.value.code, failed.value.permanent) == ("kills_workers", True)


@pytest.mark.usefixtures("broker")
def test_an_id_cannot_forge_a_line_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    quarantine("passwords", "x\nERROR all is lost", "It is not JSON.", b"hunter2")
    assert caplog.messages == [
        r"Set aside 'x\nERROR all is lost' from queue passwords: It is not JSON."
    ]
