"""Health when a part is down or hangs: 503 in time, and no word of where the part is."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.servers import ValkeyServer, running_valkey


@pytest.fixture
def own_valkey() -> Iterator[ValkeyServer]:
    """A broker that the test may maltreat."""
    with running_valkey() as server:
        yield server


@pytest.fixture
def environment(environment: dict[str, str], own_valkey: ValkeyServer) -> dict[str, str]:
    """What the environment says: the broker is the test's own."""
    return {**environment, "REDIS_URL": own_valkey.url}


def test_a_broker_that_is_gone(anonymous: httpx.Client, own_valkey: ValkeyServer) -> None:
    own_valkey.process.terminate()
    own_valkey.process.wait()
    answer = anonymous.get("/health")
    health = answer.json()
    assert answer.status_code == 503
    assert (health["status"], health["database"], health["broker"]) == ("unhealthy", "up", "down")
    assert set(health) == {"status", "uptime", "database", "broker"}


def test_a_broker_that_hangs(anonymous: httpx.Client, own_valkey: ValkeyServer) -> None:
    # Given a broker that takes requests and answers none
    own_valkey.process.send_signal(signal.SIGSTOP)
    try:
        # When health is asked for by several at once
        begun = time.monotonic()
        with ThreadPoolExecutor(8) as probes:
            answers = list(probes.map(anonymous.get, ["/health"] * 8))
    finally:
        own_valkey.process.send_signal(signal.SIGCONT)
    # Then each answer comes in time, and blames no other part
    assert time.monotonic() - begun < 30
    assert {(answer.status_code, answer.json()["database"]) for answer in answers} == {(503, "up")}


def test_a_database_that_is_gone(
    anonymous: httpx.Client, database_url: str, tmp_path: Path
) -> None:
    Path(database_url.removeprefix("sqlite:///")).unlink()
    for left in tmp_path.glob("*.sqlite3*"):
        left.unlink()
    tmp_path.chmod(0o000)
    Path(tmp_path).rename(tmp_path.with_name("moved"))
    answer = anonymous.get("/health")
    assert answer.status_code == 503
    assert answer.json()["database"] == "down"
    assert str(tmp_path) not in answer.text
