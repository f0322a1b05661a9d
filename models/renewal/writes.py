"""Writes of a successful renewal, each fenced by the version of its connection."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Final, Protocol, TypeAlias

from models.db.statements import PreparedDelete, PreparedInsert, PreparedStatement, PreparedUpdate
from models.events import TAB_EVENTS
from models.oauth.connections import TAB_CONNECTIONS
from models.renewal.bulk import ANSWER, BEGIN, END, Kind
from models.renewal.journal import TAB_ATTEMPTS

_C: Final = TAB_CONNECTIONS
_A: Final = TAB_ATTEMPTS
_PROLONG: Final = PreparedUpdate([_C.lease_until], [_C.id, _C.version, _C.lease_until])
_ENTER: Final = PreparedInsert(
    *(_A.connection_id, _A.version, _A.token_digest, _A.tries, _A.started_at), ignore_conflicts=True
)
_KEEP: Final = PreparedUpdate([_A.answer], [_A.connection_id, _A.version])
_END: Final = PreparedDelete(_A.connection_id, _A.version)


#: A statement, and the row that it is executed for.
Statement: TypeAlias = tuple[PreparedStatement, Sequence[Any]]


class Write(Protocol):
    """A write for one version of one connection."""

    @property
    def key(self) -> tuple[str, int]:
        """The connection's id, and the version: the fence of the write."""

    def execute(self) -> bool:
        """Make the write; False if its row was not in the state that it expects."""

    def list_statements(self) -> Iterable[Statement]:
        """Return statements that make the write, if each of them changes a row."""

    def as_bulk_row(self) -> tuple[Kind, Mapping[str, Any]]:
        """Return the write as a row of PostgreSQL's bulk statement."""


@dataclass(frozen=True, slots=True)
class BeginAttempt:
    """Prolongs a lease and records in the journal that its token is about to be sent."""

    key: tuple[str, int]
    lease_until: datetime
    until_then: datetime
    digest: str
    started_at: datetime

    def execute(self) -> bool:
        """Make both writes, or neither."""
        if not _PROLONG.execute(self.until_then, *self.key, self.lease_until):
            return False
        is_entered = _ENTER.execute(*self.key, self.digest, 1, self.started_at)
        if not is_entered:
            _PROLONG.execute(self.lease_until, *self.key, self.until_then)
        return is_entered

    def list_statements(self) -> Iterable[Statement]:
        """Return both writes."""
        yield _PROLONG, (self.until_then, *self.key, self.lease_until)
        yield _ENTER, (*self.key, self.digest, 1, self.started_at)

    def as_bulk_row(self) -> tuple[Kind, Mapping[str, Any]]:
        """Return the write as a row of the bulk statement."""
        times = {"lease_until": self.lease_until, "until_then": self.until_then}
        return BEGIN, {**times, "digest": self.digest, "started_at": self.started_at}


@dataclass(frozen=True, slots=True)
class StoreAnswer:
    """Stores a provider's sealed answer in the journal."""

    key: tuple[str, int]
    sealed: bytes

    def execute(self) -> bool:
        """Make the write; False if the journal has no row of this version."""
        return _KEEP.execute(self.sealed, *self.key)

    def list_statements(self) -> Iterable[Statement]:
        """Return the one write."""
        yield _KEEP, (self.sealed, *self.key)

    def as_bulk_row(self) -> tuple[Kind, Mapping[str, Any]]:
        """Return the write as a row of the bulk statement."""
        return ANSWER, {"sealed": self.sealed}


@dataclass(frozen=True, slots=True)
class EndRenewal:
    """Stores a grant and its events, and erases the attempt from the journal."""

    key: tuple[str, int]
    columns: Mapping[str, Any]
    events: Sequence[Mapping[str, Any]]

    def execute(self) -> bool:
        """Make the writes; False, and no events, if the connection has another version."""
        is_stored = _store(tuple(self.columns)).execute(*self.columns.values(), *self.key)
        _END.execute(*self.key)
        if is_stored:
            TAB_EVENTS.insert_rows(self.events)
        return is_stored

    def list_statements(self) -> Iterable[Statement]:
        """Return the writes of the grant, of the journal, and of each event."""
        yield _store(tuple(self.columns)), (*self.columns.values(), *self.key)
        yield _END, self.key
        yield from TAB_EVENTS.list_inserts(self.events)

    def as_bulk_row(self) -> tuple[Kind, Mapping[str, Any]]:
        """Return the write as a row of the bulk statement."""
        return END, {**self.columns, "has_end": "warn_at" in self.columns, "events": self.events}


@cache
def _store(names: tuple[str, ...]) -> PreparedUpdate:
    return PreparedUpdate([getattr(_C, name) for name in names], [_C.id, _C.version])
