"""Work queue: its threads wait for an item without a timeout, and wake up when it is closed."""

from __future__ import annotations

import threading
from queue import Empty

import pytest

from worker.consuming.work_queue import WorkQueue


def _sleepers(queue: WorkQueue, found: list[int]) -> list[threading.Thread]:
    def look() -> None:
        try:
            # However short the time that Dramatiq gives.
            found.append(queue.get(timeout=0.001))
        except Empty:
            found.append(0)

    threads = [threading.Thread(target=look, daemon=True) for _ in range(3)]
    for thread in threads:
        thread.start()
    return threads


def test_threads_sleep_until_there_is_an_item() -> None:
    # Given threads that wait for longer than their timeout
    queue, found = WorkQueue(), list[int]()
    threads = _sleepers(queue, found)
    threads[0].join(0.1)
    assert not found
    # When there are items, then each gets one
    for item in (3, 1, 2):
        queue.put(item)
    for thread in threads:
        thread.join(5)
    assert sorted(found) == [1, 2, 3]


def test_all_wake_up_at_the_end() -> None:
    queue, found = WorkQueue(), list[int]()
    threads = _sleepers(queue, found)
    queue.close()
    for thread in threads:
        thread.join(5)
    assert found == [0, 0, 0]


def test_what_is_left_at_the_end_can_be_taken() -> None:
    queue = WorkQueue()
    queue.put(1)
    queue.close()
    assert queue.get_nowait() == 1
    with pytest.raises(Empty):
        queue.get_nowait()
