"""Work queue: its threads wait for an item without a timeout, and wake up when it is closed."""

from __future__ import annotations

import threading
from queue import Empty

import pytest
from dramatiq import Worker
from dramatiq.worker import WorkerThread

from worker.consuming.work_queue import WorkQueue


def _sleepers(queue: WorkQueue, found: list[int], count: int = 3) -> list[threading.Thread]:
    def look() -> None:
        try:
            # However short the time that Dramatiq gives.
            found.append(queue.get(timeout=0.001))
        except Empty:
            found.append(0)

    threads = [threading.Thread(target=look, daemon=True) for _ in range(count)]
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


def test_what_a_worker_thread_adds_it_takes_itself(worker: Worker) -> None:
    # Given a thread that sleeps, and a worker thread that has just ended a message
    queue, found = WorkQueue(), list[int]()
    sleeper = _sleepers(queue, found, 1)[0]
    taken: list[int] = []

    class Ending(WorkerThread):
        def run(self) -> None:
            queue.put(7)
            sleeper.join(0.1)
            taken.append(queue.get())

    ending = Ending(broker=worker.broker, consumers={}, work_queue=queue, worker_timeout=1000)
    # When it adds the message that follows
    ending.start()
    ending.join(5)
    # Then it takes that one too, and the sleeper has not been woken
    assert (taken, found) == ([7], [])
    queue.close()
    sleeper.join(5)
