"""Where the threads of a process find the messages in hand, and sleep until there is one."""

from __future__ import annotations

from queue import PriorityQueue
from typing import Any


class WorkQueue(PriorityQueue[Any]):
    """Lets Dramatiq's worker threads sleep for as long as there is nothing to do.

    They look once a second whether to end: sixteen of them take a fifteenth of what the idle stack
    does, and each shutdown lasts that second.
    """

    def __init__(self) -> None:
        """Begin empty."""
        super().__init__()
        self._is_closed = False

    def get(self, block: bool = True, timeout: float | None = None) -> Any:  # noqa: ARG002
        """Return the next item, however long that takes; once closed, only what is there.

        Raises:
            Empty: It is closed, or was not to block, and nothing is there.
        """
        with self.not_empty:
            self.not_empty.wait_for(lambda: self._qsize() or self._is_closed or not block)
        return super().get(block=False)

    def close(self) -> None:
        """Wake all who wait; nobody waits from now on."""
        with self.not_empty:
            self._is_closed = True
            self.not_empty.notify_all()
