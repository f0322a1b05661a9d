"""Watched list: a file, a folder or a filter, opened anew where another takes its place."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from actors.passwords.breaches.bloom_filter import MAGIC, BloomFilter
from actors.passwords.breaches.digests import Algorithm, Hit
from actors.passwords.breaches.range_folder import RangeFolder
from actors.passwords.breaches.sorted_file import SortedFile
from actors.passwords.errors import BreachListInvalid

_LOG = logging.getLogger(__name__)
#: How long a list that was replaced goes on to be asked.
_LOOK_SECONDS: Final = 10.0


class BreachList(Protocol):
    """A list on this machine."""

    algorithm: Algorithm

    def find(self, digest: bytes) -> Hit | None:
        """Return what the list says of a digest, or None."""

    def describe(self) -> str:
        """Return what the list is, for operators."""


class WatchedList:
    """A list, opened anew where another file takes its place, as `mv` and the builder do.

    One that cannot be used leaves the former in its place, with a line in the log.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        """Open a list.

        Raises:
            BreachListInvalid, OSError: It is damaged, or no list; it cannot be read.
        """
        self._path = path
        self._clock = clock
        self._lock = threading.Lock()
        self._identity = _identify(path)
        self._list = _recognize(path)
        self._look_at = clock() + _LOOK_SECONDS

    def get(self) -> BreachList:
        """Return the list as of these seconds; while one thread opens another, that of before."""
        if self._clock() >= self._look_at and self._lock.acquire(blocking=False):
            try:
                self._look()
            finally:
                self._lock.release()
        return self._list

    def _look(self) -> None:
        self._look_at = self._clock() + _LOOK_SECONDS
        try:
            found = _identify(self._path)
            if found == self._identity:
                return
            self._identity = found
            self._list = _recognize(self._path)
        except (BreachListInvalid, OSError) as error:
            reason = error.fault if isinstance(error, BreachListInvalid) else error.strerror
            _LOG.error("What has replaced the breach list %s; the former is asked.", reason)
        else:
            _LOG.info("The breach list was replaced by %s.", self._list.describe())


def _identify(path: Path) -> tuple[int, ...]:
    """Return what changes as a file is replaced; the files of a folder are read anew each time."""
    found = path.stat()
    place = found.st_dev, found.st_ino
    return place if path.is_dir() else (*place, found.st_size, found.st_mtime_ns)


def _recognize(path: Path) -> BreachList:
    if path.is_dir():
        return RangeFolder(path)
    with path.open("rb") as file:
        is_filter = file.read(len(MAGIC)) == MAGIC
    return BloomFilter(path) if is_filter else SortedFile(path)
