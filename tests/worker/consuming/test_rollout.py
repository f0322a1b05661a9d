"""Rollout: two releases side by side understand each other's messages, and a stop loses none."""

from __future__ import annotations

from typing import Any, Final

import pytest

from actors.queue.dead_letters import DeadLetters
from catfeeder.client import Client
from catfeeder.messages import CATALOGUE, HASH_PASSWORD, PASSWORDS
from catfeeder.queue.broker import build_message
from catfeeder.sealing import Secret
from tests.waiting import wait_until
from tests.worker.worker_process import Workers
from worker.consuming.recognition import check_message

_SECRET: Final = Secret("x")
#: The arguments that the first release sends; every later one takes them, so add but never change.
FIRST_RELEASE: Final[list[tuple[str, dict[str, Any]]]] = [
    ("hash_password", {"password": _SECRET, "rounds": None}),
    ("check_password", {"password": _SECRET, "password_hash": _SECRET}),
    ("exchange_code", {"provider": "x", "code": _SECRET, "state": _SECRET, "iss": None}),
    ("fetch_user_info", {"provider": "x", "connection_id": "y", "access_token": None}),
    ("fetch_user_info", {"provider": "x", "connection_id": None, "access_token": _SECRET}),
    ("refresh_token", {"provider": "x", "refresh_token": _SECRET}),
    ("renew_connection", {"connection_id": "x"}),
    ("revoke_connection", {"connection_id": "x"}),
    ("discover_provider", {"provider": "x"}),
    ("check_provider", {"provider": "x"}),
    ("renew_connections", {"leases": [["x", 1, "y"]]}),
    ("renew_oaths", {}),
    ("clean_verification", {}),
    ("clean_tokens", {}),
    ("deliver_events", {}),
    ("clean_events", {}),
    ("reseal", {}),
    ("shut_down", {"generation": 1}),
]


@pytest.mark.parametrize(("name", "arguments"), FIRST_RELEASE)
def test_what_the_first_release_sends_is_understood(name: str, arguments: dict[str, Any]) -> None:
    message = build_message(CATALOGUE[name], arguments)
    fields = message.copy(options={"redis_message_id": "an id"}).asdict()
    check_message(CATALOGUE[name].queue, "an id", fields, 0)


def test_two_releases_work_side_by_side_until_the_older_one_leaves(
    client: Client, workers: Workers
) -> None:
    # Given a worker of each release
    older, newer = workers.start(threads=2), workers.start(threads=2, release="newer")
    wait_until(lambda: older.is_ready() and newer.is_ready())
    wait_until(lambda: client.redis.hlen("catfeeder:workers") == 2)
    # When apps of both send their messages, and then the older worker is stopped
    plain = [client.hash_password(f"0.3 s, plain {number}") for number in range(4)]
    flavoured = [
        client.enqueue(HASH_PASSWORD, password=Secret(f"0.3 s, new {number}"), flavour="fish")
        for number in range(6)
    ]
    assert all(job.result(timeout=60) for job in plain + flavoured)
    last = [client.hash_password(f"1 s, last {number}") for number in range(4)]
    wait_until(lambda: any("last" in performed for performed in older.performed()))
    older.terminate()
    # Then it ends well and within its grace, and everything was performed, once
    assert older.process.wait(60) == 0
    assert all(job.result(timeout=60) for job in last)
    assert len(newer.performed()) == len(set(newer.performed())) == 14
    assert DeadLetters(client.broker).counts(PASSWORDS) == {}
    # And a message of a release that does not run is set aside
    strange = client.enqueue(HASH_PASSWORD, password=Secret("0 s"), shape="round")
    wait_until(lambda: strange.record().status.is_final)
    assert DeadLetters(client.broker).counts(PASSWORDS) == {"unknown_message": 1}


def test_a_job_that_exceeds_the_grace_is_performed_by_another_worker(
    client: Client, workers: Workers
) -> None:
    # Given a worker with a job that takes longer than its grace
    leaving = workers.start(grace=1)
    job = client.hash_password("0 s, try 2")
    wait_until(leaving.performed)
    # When it is stopped
    leaving.terminate()
    # Then it ends in time
    assert leaving.process.wait(60) == 0
    # And the job is performed by the next
    staying = workers.start()
    assert job.result(timeout=60)
    assert staying.performed() == ["0 s, try 2"] * 2
