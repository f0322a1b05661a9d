"""Who lives on this machine, told by the kernel: a process that has died holds no lock any more.

A process that is paused, or that no clock agrees with, holds its lock all the same.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path


class ProcessLocks:
    """A folder with one locked file for each living process, named after it."""

    def __init__(self, folder: Path) -> None:
        """Take the folder, which all processes of the machine share."""
        self._folder = folder
        self._own: tuple[Path, int] | None = None

    def hold(self, name: str) -> None:
        """Take a lock of our own, until `release` or the end of the process.

        Raises:
            OSError: The folder cannot be written to.
        """
        self.release()
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Locked before it has its name: nobody takes it for that of a dead process.
        unnamed, path = self._folder / f".{name}", self._folder / name
        descriptor = os.open(unnamed, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        unnamed.rename(path)
        self._own = path, descriptor

    def release(self) -> None:
        """Let go of our own, and leave nothing behind."""
        if self._own is not None:
            path, descriptor = self._own
            path.unlink(missing_ok=True)
            os.close(descriptor)
            self._own = None

    @contextlib.contextmanager
    def roll_call(self) -> Iterator[tuple[list[str], list[str]]]:
        """Yield the names of the living and of the dead, as far as they are in the folder.

        The locks of the dead are ours for the block, so that no two bury one, and removed after it.
        Where the block fails they stay, for the next to try.
        """
        with contextlib.ExitStack() as held:
            files = self._files()
            dead = [path for path in files if _taken(path, held)]
            yield [path.name for path in files if path not in dead], [path.name for path in dead]
            for path in dead:
                path.unlink(missing_ok=True)

    def _files(self) -> list[Path]:
        try:
            return [path for path in self._folder.iterdir() if not path.name.startswith(".")]
        except OSError:
            return []


def _taken(path: Path, held: contextlib.ExitStack) -> bool:
    """Try to take a lock; it is let go at the end of the stack."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except OSError:
        # Somebody has buried it meanwhile.
        return False
    held.callback(os.close, descriptor)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
