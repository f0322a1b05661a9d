"""Tests that what takes too long is made up for by somebody who does not wait."""

from __future__ import annotations

import threading
import time

from actors.renewal.watchdog import Overdue
from tests.waiting import wait_until


def test_what_takes_long_is_made_up_for_once() -> None:
    overdue, made_up = Overdue(), threading.Semaphore(0)

    with overdue.after(0.05, made_up.release):
        assert made_up.acquire(timeout=60)
        # Two more looks find nothing
        assert not made_up.acquire(timeout=0.6)


def test_what_ends_in_time_is_left_alone_and_nobody_goes_on_looking() -> None:
    overdue, calls = Overdue(), []

    for _ in range(3):
        with overdue.after(60, lambda: calls.append(time.monotonic())):
            pass

    wait_until(lambda: all(thread.name != "overdue" for thread in threading.enumerate()))
    assert calls == []
    # And it is looked after again
    with overdue.after(0.0, lambda: calls.append(time.monotonic())):
        wait_until(lambda: len(calls) == 1)
