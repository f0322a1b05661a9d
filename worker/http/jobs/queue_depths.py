"""How long the queues are, asked no more often than the answer can matter."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

#: What comes meanwhile is a few hundredths of a second's work, where a queue may hold a minute's.
_CACHE_SECONDS: Final = 0.1


class QueueDepthCache:
    """Remembers for a moment how many messages wait on a queue."""

    def __init__(
        self, look: Callable[[str], int], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Take how to count a queue's messages, and the clock."""
        self._look = look
        self._clock = clock
        self._known: dict[str, tuple[int, float]] = {}

    def of(self, queue: str) -> int:
        """Return how many messages wait, or waited a moment ago.

        Raises:
            Whatever the look does.
        """
        depth, until = self._known.get(queue, (0, 0.0))
        if self._clock() >= until:
            depth = self._look(queue)
            self.note(queue, depth)
        return depth

    def note(self, queue: str, depth: int) -> None:
        """Remember what was told without a look, as it is of each message that is sent."""
        self._known[queue] = (depth, self._clock() + _CACHE_SECONDS)
