"""Lock of a data directory: two servers that append to one file would ruin it."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from typing import Final

from worker.errors import VarDirTaken, VarDirUnusable

_POLL_SECONDS: Final = 0.01


def lock_directory(directory: Path, seconds: float) -> int:
    """Make a directory for its user alone, and return the descriptor that holds its lock.

    Another process may hold the lock for `seconds`, such as a server whose supervisor was killed.

    Raises:
        VarDirUnusable: The directory cannot be written to.
        VarDirTaken: Another process holds the lock for longer.
    """
    try:
        directory.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        directory.mkdir(mode=0o700, exist_ok=True)
        lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise VarDirUnusable(
            f"VAR_DIR cannot be written to ({error.strerror}): set it to another directory."
        ) from None
    if not _lock_file(lock, seconds):
        os.close(lock)
        raise VarDirTaken
    return lock


def _lock_file(descriptor: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL_SECONDS)
        else:
            return True
