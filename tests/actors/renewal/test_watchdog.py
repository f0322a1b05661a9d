"""Tests of the watchdog: it acts once in place of a thread that takes too long."""

from __future__ import annotations

import threading

from actors.renewal.kept_answers import Watchdog
from tests.waiting import wait_until


def test_a_block_that_takes_long_is_acted_for_once() -> None:
    watchdog, acted = Watchdog(check_seconds=0.01), threading.Semaphore(0)

    with watchdog.act_after(0.02, acted.release):
        assert acted.acquire(timeout=60)
        # Many more checks find nothing
        assert not acted.acquire(timeout=0.2)


def test_a_block_that_ends_in_time_is_left_alone_and_the_thread_ends() -> None:
    watchdog, acted = Watchdog(check_seconds=0.01), threading.Semaphore(0)

    for _ in range(3):
        with watchdog.act_after(60, acted.release):
            pass

    wait_until(lambda: all(thread.name != "watchdog" for thread in threading.enumerate()))
    assert not acted.acquire(blocking=False)
    # And another block is watched again
    with watchdog.act_after(0.0, acted.release):
        assert acted.acquire(timeout=60)
