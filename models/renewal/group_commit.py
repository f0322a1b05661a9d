"""Group commit: threads that write at the same time share one transaction and its cost."""

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
    """One thread's item, and its outcome."""

    __slots__ = ("error", "is_awaited", "is_done", "is_leader", "is_written", "item", "result")

    result: R

    def __init__(self, item: T) -> None:
        self.item = item
        self.is_awaited = False
        self.is_leader = False
        self.is_written = False
        self.error: Exception | None = None
        # Acquired until the outcome is known, or this entry's thread is to lead.
        self.is_done = threading.Lock()
        self.is_done.acquire()

    def outcome(self) -> R:
        if self.error is not None:
            raise self.error
        if not self.is_written:
            raise DatabaseUnreachable("A write was cut off on its way.")
        return self.result


class GroupCommit(Generic[T, R]):
    """Writes an item in a transaction shared with the items that other threads write meanwhile.

    The leading thread writes all items that arrived during the write before. No thread waits for
    further items. Each call returns, or raises, once its own item is committed or has failed.
    """

    def __init__(
        self, write: Callable[[Sequence[T]], Sequence[R]], *, is_single_statement: bool = False
    ) -> None:
        """`write` writes items within a transaction, and returns the outcome of each.

        With `is_single_statement` it takes one statement where the database supports bulk writes,
        and that needs no transaction around it.
        """
        self._write = write
        self._is_single_statement = is_single_statement
        self._guard = threading.Lock()
        self._waiting: list[_Entry[T, R]] = []
        self._has_leader = False

    def __call__(self, item: T) -> R:
        """Write an item, and return its outcome.

        Raises:
            DatabaseUnreachable: It was not written, or it is unknown whether it was.
        """
        return self.defer(item)()

    def defer(self, item: T) -> Callable[[], R]:
        """Write an item along with the next that a thread waits for; return the call that waits.

        Make that call once; it returns or raises as `__call__` does.
        """
        if database.in_transaction():
            # The writes of other threads must not depend on how this transaction ends.
            result = self._write([item])[0]
            return lambda: result
        entry: _Entry[T, R] = _Entry(item)
        with self._guard:
            self._waiting.append(entry)
        return lambda: self._await(entry)

    def _await(self, entry: _Entry[T, R]) -> R:
        with self._guard:
            entry.is_awaited = True
            if not self._has_leader and entry in self._waiting:
                entry.is_leader = self._has_leader = True
        if not entry.is_leader:
            entry.is_done.acquire()
        if entry.is_leader:
            self._lead(entry)
        return entry.outcome()

    def _lead(self, own: _Entry[T, R]) -> None:
        """Write all waiting items, then let the first awaited one of the next lead."""
        with self._guard:
            entries, self._waiting = self._waiting, []
        try:
            self._perform(entries)
        finally:
            with self._guard:
                following = [entry for entry in self._waiting if entry.is_awaited][:1]
                self._has_leader = bool(following)
                for entry in following:
                    entry.is_leader = True
            for entry in (*entries, *following):
                if entry is not own:
                    entry.is_done.release()

    def _perform(self, entries: Sequence[_Entry[T, R]]) -> None:
        try:
            with self._transaction():
                results = self._write([entry.item for entry in entries])
        except Exception as error:  # noqa: BLE001  Each thread raises the error of its own item.
            self._fail(entries, error)
        else:
            for entry, result in zip(entries, results, strict=True):
                entry.error, entry.result, entry.is_written = None, result, True

    def _transaction(self) -> AbstractContextManager[None]:
        is_single = self._is_single_statement and supports_bulk_writes()
        return hold_connection() if is_single else transaction()

    def _fail(self, entries: Sequence[_Entry[T, R]], error: Exception) -> None:
        """Retry each item alone, so that one bad item costs the others nothing.

        An unreachable database fails them all at once.
        """
        if len(entries) == 1 or isinstance(error, DatabaseUnreachable):
            for entry in entries:
                entry.error = error
        else:
            for entry in entries:
                self._perform([entry])
