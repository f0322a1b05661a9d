"""Progress: a bar on a terminal, and now and then a line elsewhere; both on stderr."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_LOG_SECONDS: Final = 10.0


class ProgressLine:
    """Shows on stderr which part of `total` is done, and a text."""

    def __init__(self, total: int) -> None:
        self._total = max(total, 1)
        self._bar = _start_bar(self._total) if sys.stderr.isatty() else None
        self._shown_at = time.monotonic()

    def show(self, done: int, text: str) -> None:
        """Show progress; away from a terminal, unless that was done a moment ago."""
        if self._bar is not None:
            progress, task = self._bar
            progress.update(task, completed=min(done, self._total), description=text)
            return
        now = time.monotonic()
        if now - self._shown_at >= _LOG_SECONDS:
            self._shown_at = now
            print(f"{min(done / self._total, 1):.0%} {text}", file=sys.stderr, flush=True)

    def end(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar[0].stop()


def _start_bar(total: int) -> tuple[Progress, TaskID]:
    # Loaded for a terminal alone: it costs a tenth of a second.
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    columns = (
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.description}", markup=False),
    )
    progress = Progress(*columns, console=Console(stderr=True), transient=True)
    progress.start()
    return progress, progress.add_task("", total=total)
