"""The lengths of queues: looked up, remembered for a moment, and looked up again."""

from __future__ import annotations

from worker.http.jobs.queue_depths import QueueDepthCache


def test_a_length_is_asked_for_once_a_moment_and_queue() -> None:
    # Given a clock and a queue that grows with each look
    looks: list[str] = []
    now = 0.0

    def look(queue: str) -> int:
        looks.append(queue)
        return len(looks)

    depths = QueueDepthCache(look, lambda: now)

    # Then a look holds for a moment, for its own queue
    assert [depths.of("one"), depths.of("one"), depths.of("two"), depths.of("one")] == [1, 1, 2, 1]
    now = 0.099
    assert depths.of("one") == 1
    now = 0.101
    assert depths.of("one") == 3
    assert looks == ["one", "two", "one"]


def test_a_length_that_was_told_is_as_good_as_a_look() -> None:
    now = 0.0
    depths = QueueDepthCache(lambda _queue: 1, lambda: now)
    depths.note("one", 7)
    assert depths.of("one") == 7
    now = 0.101
    assert depths.of("one") == 1
