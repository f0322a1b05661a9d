"""Queue depth cache: counted, kept for a moment, and counted again."""

from __future__ import annotations

import itertools

from worker.http.jobs.queue_depths import QueueDepthCache


def test_a_length_is_counted_once_a_moment_for_each_queue() -> None:
    now, counts = 0.0, itertools.count(1)
    counted: list[str] = []

    def count(queue: str) -> int:
        counted.append(queue)
        return next(counts)

    depths = QueueDepthCache(count, lambda: now)
    assert [depths.get(name) for name in ("one", "one", "two", "one")] == [1, 1, 2, 1]
    now = 0.099
    assert depths.get("one") == 1
    now = 0.101
    assert depths.get("one") == 3
    assert counted == ["one", "two", "one"]
    # A length that is known without counting is kept as long
    depths.put("one", 7)
    assert depths.get("one") == 7
    now = 0.203
    assert depths.get("one") == 4
