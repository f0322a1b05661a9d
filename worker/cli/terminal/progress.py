"""Progress: a bar on a terminal, and now and then a line elsewhere; both on stderr."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_LOG_SECONDS: Final = 10.0


class ProgressLine:
    """Shows on stderr which part of `total` is done, and a text, within a block.

    A total of 0 is one that is not known.
    """

    def __init__(self, total: int = 0) -> None:
        self._total = total
        self._bar = _start_bar(total or None) if sys.stderr.isatty() else None
        self._shown_at = time.monotonic()

    def __enter__(self) -> Self:
        """Return it; its bar is taken away at the end of the block, whatever ends that."""
        return self

    def __exit__(self, *_: object) -> None:
        """Take the bar away, and give a terminal its cursor back."""
        if self._bar is not None:
            self._bar[0].stop()

    def show(self, done: int, text: str, total: int | None = None) -> None:
        """Show progress; away from a terminal, unless that was done a moment ago."""
        self._total = total or self._total
        if self._bar is not None:
            progress, task = self._bar
            whole = self._total or None
            progress.update(task, completed=done, total=whole, description=text)
            return
        now = time.monotonic()
        if now - self._shown_at >= _LOG_SECONDS:
            self._shown_at = now
            share = f"{min(done / self._total, 1):.0%} " if self._total else ""
            print(f"{share}{text}", file=sys.stderr, flush=True)


def _start_bar(total: int | None) -> tuple[Progress, TaskID]:
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
