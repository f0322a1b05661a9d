"""Progress line: one that is drawn anew on a terminal, and now and then a new one elsewhere."""

from __future__ import annotations

import sys
import time
from typing import Final

_WIDTH: Final = 24
_TERMINAL_SECONDS: Final = 0.1
_LOG_SECONDS: Final = 10.0


class ProgressLine:
    """Shows on stderr which part of `total` is done, and a text."""

    def __init__(self, total: int) -> None:
        self._total = max(total, 1)
        self._is_terminal = sys.stderr.isatty()
        self._pause = _TERMINAL_SECONDS if self._is_terminal else _LOG_SECONDS
        self._shown_at = time.monotonic() if not self._is_terminal else 0.0

    def show(self, done: int, text: str) -> None:
        """Show progress, unless that was done a moment ago."""
        now = time.monotonic()
        if now - self._shown_at < self._pause:
            return
        self._shown_at = now
        share = min(done / self._total, 1)
        if self._is_terminal:
            bar = "█" * int(share * _WIDTH)
            sys.stderr.write(f"\r\x1b[K{bar:░<{_WIDTH}} {share:4.0%} {text}")
        else:
            sys.stderr.write(f"{share:.0%} {text}\n")
        sys.stderr.flush()

    def end(self) -> None:
        """Clear the line of a terminal."""
        if self._is_terminal:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
