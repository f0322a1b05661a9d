"""What is set aside: all of it can be looked at, none of it in the clear, and not for ever."""

from __future__ import annotations

import os

import pytest

from actors.quarantine import quarantine, set_aside
from tests.servers import ValkeyServer

KEY = "catfeeder:quarantine"


@pytest.mark.usefixtures("broker")
def test_it_can_be_looked_at_and_the_latest_comes_first() -> None:
    quarantine("passwords", "first", "It is not JSON.", b"\x00\xff")
    quarantine("control", "second", "It is empty.", b"")
    assert set_aside() == [
        {
            "queue": "control",
            "redis_message_id": "second",
            "reason": "It is empty.",
            "body": b"",
        },
        {
            "queue": "passwords",
            "redis_message_id": "first",
            "reason": "It is not JSON.",
            "body": b"\x00\xff",
        },
    ]


@pytest.mark.usefixtures("broker")
def test_another_apps_plaintext_is_not_kept_as_it_came(valkey: ValkeyServer) -> None:
    quarantine("passwords", "plain", "It was not sealed.", b'{"password": "hunter2"}')
    kept = valkey.client.lrange(KEY, 0, -1)
    assert [b"hunter2" in os.fsencode(sealed) for sealed in kept] == [False]


@pytest.mark.usefixtures("broker")
def test_a_flood_is_cut_off_and_forgotten_in_a_week(valkey: ValkeyServer) -> None:
    for number in range(103):
        quarantine("passwords", str(number), "It is not JSON.", b"")
    kept = [found["redis_message_id"] for found in set_aside()]
    assert kept == [str(number) for number in range(102, 2, -1)]
    assert 0 < valkey.client.ttl(KEY) <= 7 * 24 * 3600


@pytest.mark.usefixtures("broker")
def test_an_id_cannot_forge_a_line_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    quarantine("passwords", "x\nERROR all is lost", "It is not JSON.", b"hunter2")
    assert caplog.messages == [
        r"Set aside 'x\nERROR all is lost' from queue passwords: It is not JSON."
    ]
