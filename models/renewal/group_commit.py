"""Gathering what threads write at the same time, so that they share a transaction and its cost."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Generic, TypeVar

from models.db.database import database, hold_connection, transaction
from models.db.errors import DatabaseUnreachable
from models.db.statements import supports_bulk_writes

T = TypeVar("T")
R = TypeVar("R")


class _Entry(Generic[T, R]):
    """What one thread writes, and what came of it."""

    __slots__ = ("error", "is_awaited", "item", "leads", "result", "woken")

    result: R

    def __init__(self, item: T) -> None:
        self.item = item
        self.is_awaited = False
        self.leads = False
        self.error: Exception | None = DatabaseUnreachable("A write was cut off on its way.")
        self.woken = threading.Lock()
        self.woken.acquire()

    def outcome(self) -> R:
        if self.error is not None:
            raise self.error
        return self.result


class GroupCommit(Generic[T, R]):
    """Writes an item in a transaction that it shares with those of other threads, if there are any.

    One thread writes for all that came while the one before it was at work. Nobody waits for others
    to come, and each call returns, or raises, once its own item is committed, or is not.
    """

    def __init__(
        self, write: Callable[[Sequence[T]], Sequence[R]], *, is_one_statement: bool = False
    ) -> None:
        """Take what writes items within a transaction and tells of each what came of it.

        `is_one_statement` says that it takes one where many rows are written at once, which is a
        transaction by itself.
        """
        self._write = write
        self._is_one_statement = is_one_statement
        self._guard = threading.Lock()
        self._waiting: list[_Entry[T, R]] = []
        self._is_led = False

    def __call__(self, item: T) -> R:
        """Write an item.

        Raises:
            DatabaseUnreachable: It was not written, or nobody knows whether it was.
        """
        return self.later(item)()

    def later(self, item: T) -> Callable[[], R]:
        """Let an item be written with the next that any thread waits for; return what waits for it.

        To be called once, that returns or raises as `__call__` does.
        """
        if database.in_transaction():
            # Others' writes must not hang on when this transaction ends.
            result = self._write([item])[0]
            return lambda: result
        entry: _Entry[T, R] = _Entry(item)
        with self._guard:
            self._waiting.append(entry)
        return lambda: self._outcome(entry)

    def _outcome(self, entry: _Entry[T, R]) -> R:
        with self._guard:
            entry.is_awaited = True
            if not self._is_led and entry in self._waiting:
                entry.leads = self._is_led = True
        if not entry.leads:
            entry.woken.acquire()
        if entry.leads:
            self._lead(entry)
        return entry.outcome()

    def _lead(self, own: _Entry[T, R]) -> None:
        """Write for all that came, and let the first of the next that is waited for write those."""
        with self._guard:
            entries, self._waiting = self._waiting, []
        try:
            self._perform(entries)
        finally:
            with self._guard:
                following = [entry for entry in self._waiting if entry.is_awaited][:1]
                self._is_led = bool(following)
                for entry in following:
                    entry.leads = True
            for entry in (*entries, *following):
                if entry is not own:
                    entry.woken.release()

    def _perform(self, entries: Sequence[_Entry[T, R]]) -> None:
        try:
            with self._transaction():
                results = self._write([entry.item for entry in entries])
        except Exception as error:  # noqa: BLE001  Each thread raises what became of its own item.
            self._fail(entries, error)
        else:
            for entry, result in zip(entries, results, strict=True):
                entry.error, entry.result = None, result

    def _transaction(self) -> AbstractContextManager[None]:
        is_one = self._is_one_statement and supports_bulk_writes()
        return hold_connection() if is_one else transaction()

    def _fail(self, entries: Sequence[_Entry[T, R]], error: Exception) -> None:
        """Let each item fail for itself, unless all of them have the same trouble."""
        if len(entries) == 1 or isinstance(error, DatabaseUnreachable):
            for entry in entries:
                entry.error = error
        else:
            for entry in entries:
                self._perform([entry])
