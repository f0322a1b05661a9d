"""Memory budget: a process hashes at once no more than `[Passwords] memory_mib` holds."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

#: M_ARENA_MAX of glibc's mallopt(3).
_ARENA_MAX: Final = -8


class MemoryBudget:
    """Lends memory to hashes, in the order that they come, so that none waits for ever."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._returned = threading.Condition()
        #: What is lent now, and the most that ever was, in KiB.
        self.lent = 0
        self.highest = 0

    @contextmanager
    def borrow(self, kib: int, budget_kib: int) -> Iterator[None]:
        """Wait until so much of a budget is free, and hold it within the block.

        What exceeds the budget by itself is refused before; here it would wait for all others.
        """
        if not kib:
            yield
            return
        with self._turn, self._returned:
            self._returned.wait_for(lambda: self.lent == 0 or self.lent + kib <= budget_kib)
            self.lent += kib
            self.highest = max(self.highest, self.lent)
        try:
            yield
        finally:
            with self._returned:
                self.lent -= kib
                self._returned.notify_all()


def share_one_arena() -> None:
    """Make all threads take memory from one place; call it before they start.

    glibc gives each thread an arena of its own, which keeps a freed block of 19 MiB: measured with
    16 threads and a budget of 20 MiB, a process grew by 340. Asking the system for each block anew
    takes 15 % longer. Other C libraries have no arenas, and nothing is done.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_ARENA_MAX, 1)


#: That of this process.
BUDGET = MemoryBudget()
