"""Boot generation of a process: its supervisor's, or the latest under other managers."""

from __future__ import annotations

import os
from datetime import datetime
from typing import Final

from models.server import (
    current_generation,
    is_boot_ready,
    is_boot_stopping,
    is_latest_stopping,
    is_stopping,
    join_boot,
)

#: The supervisor of `make run` sets it for its processes.
VARIABLE: Final = "CATFEEDER_BOOT"
#: What takes a shutdown back; every sentence about one names it.
REMEDY: Final = (
    "`make run` begins it anew; under another process manager `python -m worker migrate` does"
)


class Boot:
    """A boot generation, as one process sees it."""

    def __init__(self, generation: int, *, is_supervised: bool) -> None:
        self.generation = generation
        self.is_supervised = is_supervised
        self.is_ready = not is_supervised

    def is_stopping(self) -> bool:
        """Ask the database whether this process is to take no more work.

        Raises:
            DatabaseUnreachable: The database did not answer.
        """
        stops = is_boot_stopping if self.is_supervised else is_stopping
        return stops(self.generation)

    def find_ready(self) -> bool:
        """Return whether every process of the boot was ready once."""
        self.is_ready = self.is_ready or is_boot_ready(self.generation)
        return self.is_ready

    def join_newer(self) -> bool:
        """Join the boot that has taken a shutdown back; return whether there is one."""
        latest = current_generation()
        if self.is_supervised or latest <= self.generation or is_latest_stopping():
            return False
        self.generation = latest
        return True


def find_boot(now: datetime) -> Boot:
    """Return the boot of this process; a new database begins with its first one."""
    supervised = _read_supervised_generation()
    if supervised is not None:
        return Boot(supervised, is_supervised=True)
    return Boot(join_boot(now), is_supervised=False)


def is_emission_over() -> bool:
    """Tell whether a scheduler in this process is to emit nothing more."""
    supervised = _read_supervised_generation()
    return is_latest_stopping() if supervised is None else is_boot_stopping(supervised)


def _read_supervised_generation() -> int | None:
    text = os.environ.get(VARIABLE, "")
    return int(text) if text.isascii() and text.isdecimal() else None
