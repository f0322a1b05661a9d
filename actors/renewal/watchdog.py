"""Doing something in place of a thread that waits for longer than it should."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

_LOOK_SECONDS: Final = 0.25


class Overdue:
    """Calls what was to be called where a block takes long, from a thread that others share."""

    def __init__(self) -> None:
        """Begin with nobody at work."""
        self._guard = threading.Lock()
        self._open: dict[object, tuple[float, Callable[[], None]]] = {}
        self._is_watched = False

    @contextmanager
    def after(self, seconds: float, act: Callable[[], None]) -> Iterator[None]:
        """Call `act`, which must not raise, if the block has not ended after so many seconds."""
        key = object()
        with self._guard:
            self._open[key] = (time.monotonic() + seconds, act)
            if not self._is_watched:
                # An interpreter that ends starts no thread any more, and the block goes on without.
                with suppress(RuntimeError):
                    threading.Thread(target=self._watch, name="overdue", daemon=True).start()
                    self._is_watched = True
        try:
            yield
        finally:
            with self._guard:
                self._open.pop(key, None)

    def _watch(self) -> None:
        """Look now and then as long as anybody is at work: an idle process is not woken for it."""
        while True:
            time.sleep(_LOOK_SECONDS)
            with self._guard:
                self._is_watched = bool(self._open)
                if not self._open:
                    return
                now = time.monotonic()
                late = [key for key, (at, _) in self._open.items() if at <= now]
                acts = [self._open.pop(key)[1] for key in late]
            for act in acts:
                act()
