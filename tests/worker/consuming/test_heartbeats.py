"""Failure detection: the messages of dead workers are requeued, and no others."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest

from catfeeder.client import Client
from catfeeder.messages import QUEUES
from catfeeder.queue.broker import WORKERS_KEY
from tests.servers import ValkeyServer
from tests.waiting import wait_until
from tests.worker.worker_process import Workers
from worker.consuming.heartbeats import FailureDetector, HeartbeatTiming
from worker.consuming.process_locks import ProcessLocks


def watch(detector: FailureDetector, beats: list[tuple[float, dict[str, float]]]) -> list[set[str]]:
    return [detector.find_dead(beat, now) for now, beat in beats]


def test_a_heartbeat_that_stands_still_for_long_enough_is_that_of_a_dead_worker() -> None:
    # Given two workers whose clocks are wrong, and one of which dies
    beats = [(100.0 + second, {"dead": 7.0, "living": -float(second)}) for second in range(7)]
    assert watch(FailureDetector(HeartbeatTiming()), beats) == [set()] * 5 + [{"dead"}] * 2


def test_after_a_freeze_the_count_starts_anew() -> None:
    # Given a broker that was frozen for ten seconds, and so for all workers
    detector = FailureDetector(HeartbeatTiming())
    before = [(100.0 + second, {"a": 1.0, "b": float(second)}) for second in range(4)]
    after = [(113.0 + second, {"a": 1.0, "b": float(second)}) for second in range(5)]
    assert watch(detector, before + after) == [set()] * 9
    # And a worker that does not beat any more is dead after all
    assert detector.find_dead({"a": 1.0, "b": 9.0}, 118.5) == {"a"}


def test_a_new_worker_is_alive() -> None:
    detector = FailureDetector(HeartbeatTiming())
    detector.find_dead({}, 100.0)
    assert detector.find_dead({"new": 1.0}, 102.0) == set()


@pytest.mark.usefixtures("worker")
def test_a_worker_has_beaten_once_it_has_started(valkey: ValkeyServer) -> None:
    # So that a service whose workers are all ready counts each of them as live.
    (report,) = valkey.client.hvals(WORKERS_KEY)
    assert set(json.loads(report)["per_second"]) == set(QUEUES)
    assert valkey.client.zcard("catfeeder:__heartbeats__") == 1


def test_a_lock_distinguishes_live_workers_from_dead_ones(tmp_path: Path) -> None:
    # Given two processes' locks, one of which is no longer held
    ours, theirs = ProcessLocks(tmp_path / "workers"), ProcessLocks(tmp_path / "workers")
    ours.acquire("ours")
    (tmp_path / "workers" / "theirs").touch()
    with theirs.partition_by_liveness() as (living, dead):
        assert (living, dead) == (["ours"], ["theirs"])
        # Then no two processes clean up after the same one
        with ProcessLocks(tmp_path / "workers").partition_by_liveness() as (_, dead_twice):
            assert dead_twice == []
    with theirs.partition_by_liveness() as (living, dead):
        assert (living, dead) == (["ours"], [])
    ours.release()
    assert list((tmp_path / "workers").iterdir()) == []


def test_a_failed_clean_up_is_tried_again(tmp_path: Path) -> None:
    locks = ProcessLocks(tmp_path)
    (tmp_path / "theirs").touch()
    with pytest.raises(ConnectionError), locks.partition_by_liveness():
        raise ConnectionError
    with locks.partition_by_liveness() as (_, dead):
        assert dead == ["theirs"]


def test_a_killed_workers_message_runs_again_at_once(
    client: Client, workers: Workers, valkey: ValkeyServer
) -> None:
    # Given a worker that is killed while it performs a message, and an idle one
    first = workers.start()
    job = client.hash_password("0 s, try 2")
    wait_until(lambda: first.performed() == ["0 s, try 2"])
    second = workers.start()
    wait_until(second.is_ready)
    first.kill()
    # Then the other performs it
    wait_until(lambda: first.performed() == ["0 s, try 2"] * 2)
    assert job.result(timeout=60)
    # And nothing is left of the dead
    wait_until(lambda: valkey.client.zcard("catfeeder:__heartbeats__") == 1)
    wait_until(lambda: valkey.client.hlen(WORKERS_KEY) == 1)
    wait_until(lambda: not [name for name in valkey.key_names() if "__acks__" in name])


def test_another_machines_death_is_noticed_in_time_and_a_pause_is_none(
    client: Client, workers: Workers
) -> None:
    # Given a message in flight far away, one here, and a third machine that is idle
    far = workers.start(machine="far away")
    lost = client.hash_password("0 s, try 2")
    wait_until(lambda: far.performed() == ["0 s, try 2"])
    here = workers.start()
    kept = client.hash_password("gate")
    wait_until(lambda: far.performed() == ["0 s, try 2", "gate"])
    others = [workers.start(), workers.start(machine="farther away")]
    wait_until(lambda: all(other.is_ready() for other in others))
    # When the worker here is paused, and the one far away dies
    here.process.send_signal(signal.SIGSTOP)
    far.kill()
    # Then the message of the dead worker is performed again
    wait_until(lambda: far.performed() == ["0 s, try 2", "gate", "0 s, try 2"])
    assert lost.result(timeout=60)
    # And that of the paused one is still its own, though it has not beaten for as long
    here.process.send_signal(signal.SIGCONT)
    workers.open("gate")
    assert kept.result(timeout=60)
    assert far.performed().count("gate") == 1


def test_a_frozen_broker_makes_no_worker_dead(
    client: Client, workers: Workers, valkey: ValkeyServer
) -> None:
    # Given a message in flight on each of two machines
    jobs, names = [], ["gate 1", "gate 2"]
    for machine, name in zip(["here", "far away"], names, strict=True):
        worker = workers.start(machine=machine)
        jobs.append(client.hash_password(name))
        wait_until(lambda: worker.performed()[-1:] == [name])  # noqa: B023
    # When the broker is frozen for longer than a heartbeat may stay the same
    with valkey.frozen():
        time.sleep(2.5)
    # Then no worker takes the other for dead, and each message is performed once
    for name in names:
        workers.open(name)
    assert all(job.result(timeout=60) for job in jobs)
    assert worker.performed() == names
    assert not any("is dead" in each.output for each in workers.started)


def test_a_worker_that_stops_leaves_nothing_behind(
    workers: Workers, valkey: ValkeyServer, tmp_path: Path
) -> None:
    # Given a worker, and the report of another that has no heartbeat
    valkey.client.hset(WORKERS_KEY, "nobody", "{}")
    worker = workers.start()
    wait_until(worker.is_ready)
    wait_until(lambda: valkey.client.hkeys(WORKERS_KEY) not in ([], [b"nobody"]))
    wait_until(lambda: valkey.client.hlen(WORKERS_KEY) == 1)
    # When it is stopped, then it has no report and no heartbeat any more
    worker.terminate()
    assert worker.process.wait(60) == 0
    assert valkey.client.hlen(WORKERS_KEY) == 0
    assert valkey.client.zcard("catfeeder:__heartbeats__") == 0
    assert list((tmp_path / "here" / "workers").iterdir()) == []


def test_a_worker_without_a_writable_folder_works(
    client: Client, workers: Workers, tmp_path: Path
) -> None:
    (tmp_path / "here").touch()
    worker = workers.start()
    assert client.hash_password("0 s").result(timeout=60)
    # And the log says so, by a thread that begins beside the others
    wait_until(lambda: "VAR_DIR cannot be written to" in worker.output)
