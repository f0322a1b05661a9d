"""Work queue: the messages between the threads that fetch and Dramatiq's worker threads."""

from __future__ import annotations

import threading
from queue import PriorityQueue
from typing import Any

from dramatiq.worker import WorkerThread


class WorkQueue(PriorityQueue[Any]):
    """A queue whose `get` waits without a timeout until an item comes or the queue is closed.

    With Dramatiq's own, each worker thread wakes up every second: sixteen threads cost a fifteenth
    of the idle stack's processor time, and each shutdown lasts up to that second.
    """

    def __init__(self) -> None:
        super().__init__()
        self._is_closed = False

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:  # noqa: ARG002
        """Add an item; a worker thread that does takes the next one itself, and wakes no other."""
        with self.mutex:
            self._put(item)
            self.unfinished_tasks += 1
            if not isinstance(threading.current_thread(), WorkerThread):
                self.not_empty.notify()

    def get(self, block: bool = True, timeout: float | None = None) -> Any:  # noqa: ARG002
        """Return the next item, however long that takes; once closed, only what is there.

        Raises:
            Empty: It is closed, or was not to block, and holds no item.
        """
        with self.not_empty:
            self.not_empty.wait_for(lambda: self._qsize() or self._is_closed or not block)
        return super().get(block=False)

    def close(self) -> None:
        """Wake all waiting threads, and let no further `get` wait."""
        with self.not_empty:
            self._is_closed = True
            self.not_empty.notify_all()
