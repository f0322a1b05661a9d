"""Process locks: the kernel frees a dead process's lock, so its messages run again in a second.

A paused process keeps its lock, and with it its messages: docs/queue.md promises both.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path


class ProcessLocks:
    """A folder, shared by the processes of a machine, with one locked file for each live one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._own: tuple[Path, int] | None = None

    def acquire(self, name: str) -> None:
        """Hold a lock of this process until `release` or the end of the process.

        Raises:
            OSError: The folder cannot be written to.
        """
        self.release()
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Locked before it gets its name: an unlocked file is that of a dead process.
        unnamed, path = self._folder / f".{name}", self._folder / name
        descriptor = os.open(unnamed, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        unnamed.rename(path)
        self._own = path, descriptor

    def release(self) -> None:
        """Release this process's lock and remove its file."""
        if self._own is not None:
            path, descriptor = self._own
            path.unlink(missing_ok=True)
            os.close(descriptor)
            self._own = None

    @contextlib.contextmanager
    def partition_by_liveness(self) -> Iterator[tuple[list[str], list[str]]]:
        """Yield the names of the live processes and of the dead ones.

        The block holds the locks of the dead, so that no two processes clean up after the same one.
        Their files are removed after the block, unless it fails: then another process tries again.
        """
        with contextlib.ExitStack() as held:
            files = self._files()
            dead = [path for path in files if _try_lock(path, held)]
            yield [path.name for path in files if path not in dead], [path.name for path in dead]
            for path in dead:
                path.unlink(missing_ok=True)

    def _files(self) -> list[Path]:
        try:
            return [path for path in self._folder.iterdir() if not path.name.startswith(".")]
        except OSError:
            return []


def _try_lock(path: Path, held: contextlib.ExitStack) -> bool:
    """Lock a file until the end of the stack; return False where another process holds the lock."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except OSError:
        # Another process has cleaned up meanwhile.
        return False
    held.callback(os.close, descriptor)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
