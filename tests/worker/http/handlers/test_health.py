"""Health when a part is down or hangs: 503 in time, and no word of where the part is."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from catfeeder.messages import QUEUES
from catfeeder.queue.broker import WORKERS_KEY
from catfeeder.queue.redis.connection import connect_redis_async
from tests.servers import ValkeyServer, running_valkey
from worker.boot import Boot
from worker.consuming.in_flight.messages import HEARTBEATS_KEY
from worker.http.jobs.live_workers import LiveWorkers
from worker.http.shim import Shim


@pytest.fixture
def own_valkey() -> Iterator[ValkeyServer]:
    """A broker that the test may maltreat."""
    with running_valkey() as server:
        yield server


@pytest.fixture
def environment(environment: dict[str, str], own_valkey: ValkeyServer) -> dict[str, str]:
    """What the environment says: the broker is the test's own."""
    return {**environment, "REDIS_URL": own_valkey.url}


def beat(valkey: ValkeyServer, name: str, queues: Iterable[str]) -> None:
    """Beat for a worker of these queues."""
    report = json.dumps({"release": "r", "per_second": dict.fromkeys(queues)})
    valkey.client.hset(WORKERS_KEY, name, report)
    valkey.client.zadd(HEARTBEATS_KEY, {name: 1.0})


def test_a_broker_that_is_gone(anonymous: httpx.Client, own_valkey: ValkeyServer) -> None:
    own_valkey.process.terminate()
    own_valkey.process.wait()
    answer = anonymous.get("/health")
    health = answer.json()
    assert answer.status_code == 503
    assert (health["status"], health["database"], health["broker"]) == ("unhealthy", "up", "down")
    assert set(health) == {"status", "uptime", "version", "database", "broker", "workers", "paused"}


def test_a_queue_without_a_worker_is_degraded_and_one_with_a_worker_healthy(
    anonymous: httpx.Client, own_valkey: ValkeyServer
) -> None:
    # Given no worker
    answer = anonymous.get("/health")
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    assert answer.json()["workers"] == dict.fromkeys(QUEUES, 0)

    # When workers beat, two of them for one queue
    beat(own_valkey, "a", QUEUES)
    beat(own_valkey, "b", ["oauth"])

    # Then the service is healthy
    answer = anonymous.get("/health")
    assert (answer.status_code, answer.json()["status"]) == (200, "healthy")
    assert answer.json()["workers"] == {**dict.fromkeys(QUEUES, 1), "oauth": 2}


def test_a_start_that_ends_while_health_is_read_is_not_degraded(
    anonymous: httpx.Client, shim: Shim, own_valkey: ValkeyServer
) -> None:
    # Given a start whose last worker beats, and whose end is recorded, while health is asked for
    class EndingStart(Boot):
        def find_ready(self) -> bool:
            time.sleep(0.2)  # What is read beside this has been read.
            beat(own_valkey, "a", QUEUES)
            self.is_ready = True
            return True

    shim.draining.boot = EndingStart(1, is_supervised=True)

    # Then the workers of the answer are those of after the start
    answer = anonymous.get("/health")
    assert (answer.status_code, answer.json()["status"]) == (200, "healthy")


def test_a_worker_whose_heartbeat_has_stopped_does_not_count(own_valkey: ValkeyServer) -> None:
    # Given a worker that was killed, whose heartbeat is still there, and one that beats
    now = 0.0
    workers = LiveWorkers(lambda: now)

    async def count() -> int:
        async with connect_redis_async(own_valkey.url) as client:
            return (await workers.count(client))["oauth"]

    for name in ("dead", "live"):
        beat(own_valkey, name, ["oauth"])
    assert asyncio.run(count()) == 2

    # When some seconds have passed, then only the other is left
    now = 6.0
    own_valkey.client.zadd(HEARTBEATS_KEY, {"live": 2.0})
    assert asyncio.run(count()) == 1


@pytest.mark.parametrize("rights", ["~catfeeder:* +@all", "&* +@all", "~* &* +@all -evalsha -eval"])
def test_a_broker_that_answers_and_takes_no_job_is_down(
    anonymous: httpx.Client, own_valkey: ValkeyServer, rights: str
) -> None:
    # Given a broker on which our user loses what jobs need, and which still answers PING
    assert anonymous.get("/health").json()["broker"] == "up"
    own_valkey.client.execute_command(
        "ACL", "SETUSER", "admin", "on", "nopass", "~*", "&*", "+@all"
    )
    own_valkey.client.execute_command(
        "ACL", "SETUSER", "default", "resetkeys", "resetchannels", "nopass", *rights.split()
    )
    # Then health says so
    answer = anonymous.get("/health")
    assert (answer.status_code, answer.json()["broker"]) == (503, "down")


def test_a_full_broker_is_down_as_it_takes_no_job(
    anonymous: httpx.Client, own_valkey: ValkeyServer
) -> None:
    own_valkey.client.config_set("maxmemory", 1)
    assert anonymous.get("/health").json()["broker"] == "down"
    own_valkey.client.config_set("maxmemory", 0)
    assert anonymous.get("/health").json()["broker"] == "up"


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
