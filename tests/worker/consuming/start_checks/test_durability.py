"""Durability check: each setting of a Redis that may lose jobs, with the remedy."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from catfeeder.queue.redis.connection import connect_redis
from config import Settings
from tests.servers import ValkeyServer
from tests.waiting import wait_until
from worker.consuming.start_checks.durability import describe_risks
from worker.crons import Crons
from worker.supervisor.valkey.embedded import EmbeddedValkey

FORGETS = "forgets accepted jobs when it ends: set its appendonly to yes."
DROPS = "set its maxmemory-policy, which is allkeys-lru, to noeviction."


@pytest.fixture
def environment(environment: dict[str, str]) -> dict[str, str]:
    """The environment, with a Redis that is not waited for long."""
    environment["REDIS_URL"] += "?socket_timeout=0.3"
    return environment


@pytest.fixture
def careless(valkey: ValkeyServer) -> Iterator[ValkeyServer]:
    """A server that makes room for new keys by dropping others."""
    valkey.client.config_set("maxmemory-policy", "allkeys-lru")
    yield valkey
    valkey.client.config_set("maxmemory-policy", "noeviction")


@pytest.fixture
def inject() -> Iterator[Callable[[], Crons]]:
    """Starts the schedule, which every service has."""
    started: list[Crons] = []

    def start() -> Crons:
        started.append(Crons(tick_seconds=0.05))
        assert started[-1].inject_crons() == started[-1].success
        return started[-1]

    yield start
    for crons in started:
        crons.stop()


def test_each_risk_is_named_with_its_remedy(careless: ValkeyServer) -> None:
    drops, forgets = describe_risks(careless.client)
    assert drops.endswith(DROPS)
    assert forgets.endswith(FORGETS)


def test_hidden_settings_are_a_risk_too(valkey: ValkeyServer) -> None:
    valkey.client.acl_setuser("blind", enabled=True, nopass=True, commands=["+ping"])
    try:
        with connect_redis(f"{valkey.url}?username=blind&password=x") as client:
            [risk] = describe_risks(client)
    finally:
        valkey.client.acl_deluser("blind")
    assert risk.endswith("let our user call INFO.")


def test_our_own_server_has_none(tmp_path: Path) -> None:
    server = EmbeddedValkey(tmp_path)
    server.start()
    try:
        with connect_redis(server.url) as client:
            assert describe_risks(client) == []
    finally:
        server.stop()


@pytest.mark.usefixtures("tables")
def test_a_service_logs_them_when_it_starts_and_works_all_the_same(
    careless: ValkeyServer, inject: Callable[[], Crons], caplog: pytest.LogCaptureFixture
) -> None:
    inject()
    wait_until(lambda: careless.client.llen("catfeeder:control") > 0)
    logged = [record for record in caplog.records if record.name == "worker.crons"]
    assert [record.levelno for record in logged] == [logging.WARNING] * 2
    assert logged[0].message.endswith(DROPS)
    assert logged[1].message.endswith(FORGETS)


@pytest.mark.usefixtures("tables")
def test_a_broker_that_is_away_at_the_start_is_looked_at_later(
    settings: Settings,
    valkey: ValkeyServer,
    inject: Callable[[], Crons],
    caplog: pytest.LogCaptureFixture,
) -> None:
    # Given a server that does not answer at first
    assert settings
    with valkey.frozen():
        inject()
        wait_until(lambda: "The schedule waits" in caplog.text)
    # Then it is looked at when it does, and once
    wait_until(lambda: FORGETS in caplog.text)
    wait_until(lambda: valkey.client.llen("catfeeder:control") > 0)
    assert caplog.text.count(FORGETS) == 1
