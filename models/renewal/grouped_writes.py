"""Fenced writes of a successful renewal, in a group commit with those of other threads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final, Protocol

import peewee

from models.db.database import database, transaction
from models.db.errors import DatabaseUnreachable
from models.db.statements import (
    PreparedDelete,
    PreparedInsert,
    PreparedUpdate,
    supports_bulk_writes,
)
from models.events import TAB_EVENTS
from models.oauth.connections import TAB_CONNECTIONS, ConnectionStatus
from models.oauth.grants import Grant
from models.renewal.bulk import ANSWER, BEGIN, END, Kind, write_in_bulk
from models.renewal.group_commit import GroupCommit
from models.renewal.journal import TAB_ATTEMPTS, Attempt
from models.renewal.leases import Lease

_C: Final = TAB_CONNECTIONS
_A: Final = TAB_ATTEMPTS
_PROLONG: Final = PreparedUpdate([_C.lease_until], [_C.id, _C.version, _C.lease_until])
_ENTER: Final = PreparedInsert(
    *(_A.connection_id, _A.version, _A.token_digest, _A.tries, _A.started_at), ignore_conflicts=True
)
_KEEP: Final = PreparedUpdate([_A.answer], [_A.connection_id, _A.version])
_END: Final = PreparedDelete(_A.connection_id, _A.version)


class Write(Protocol):
    """A write for one version of one connection."""

    @property
    def key(self) -> tuple[str, int]:
        """The connection's id, and the version: the fence of the write."""

    def execute(self) -> bool:
        """Make the write; False if its row was not in the state that it expects."""

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

    def as_bulk_row(self) -> tuple[Kind, Mapping[str, Any]]:
        """Return the write as a row of the bulk statement."""
        return END, {**self.columns, "has_end": "warn_at" in self.columns, "events": self.events}


@cache
def _store(names: tuple[str, ...]) -> PreparedUpdate:
    return PreparedUpdate([getattr(_C, name) for name in names], [_C.id, _C.version])


def perform_writes(writes: Sequence[Write]) -> list[bool]:
    """Make writes in their order; return of each whether it found its row as expected.

    On PostgreSQL it is one statement, which needs no transaction around it; elsewhere the caller
    provides one.
    """
    if not supports_bulk_writes():
        return [write.execute() for write in writes]
    if len({write.key[0] for write in writes}) == len(writes):
        return write_in_bulk([_build_row(write) for write in writes])
    # One statement would see a connection's row as it was before, and change it once.
    with transaction():
        return [write_in_bulk([_build_row(write)])[0] for write in writes]


def _build_row(write: Write) -> tuple[Kind, Mapping[str, Any]]:
    kind, row = write.as_bulk_row()
    connection_id, version = write.key
    # Last: the columns of an ending hold the next version.
    return kind, {**row, "id": connection_id, "version": version}


_group: Final = GroupCommit(perform_writes, is_single_statement=True)
#: A group of their own: an answer must not wait for a connection that another write has locked.
_answer_group: Final = GroupCommit(perform_writes, is_single_statement=True)


def begin_first_attempt(
    lease: Lease, lease_until: datetime, digest: str, now: datetime
) -> Attempt | None:
    """Prolong a lease and record that its token is about to be sent.

    None if the lease was lost or the journal has a row of the connection. Nothing was written then;
    `begin_renewal` handles both cases.
    """
    until = max(lease_until, lease.until + timedelta(milliseconds=1))
    if not _group(BeginAttempt(_key(lease), lease.until, until, digest, now)):
        return None
    return Attempt(Lease(lease.connection_id, lease.version, until), now)


def write_answer(connection_id: str, version: int, sealed: bytes) -> bool:
    """Write an answer into the journal; False if the database fails, for whatever reason."""
    # SQLite admits one writer at a time anyway.
    group = _answer_group if database.for_update else _group
    try:
        group(StoreAnswer((connection_id, version), sealed))
    except (DatabaseUnreachable, peewee.PeeweeException):
        return False
    return True


def defer_finish(
    lease: Lease, grant: Grant, now: datetime, events: Sequence[Mapping[str, Any]]
) -> Callable[[], bool]:
    """Finish a renewal along with this thread's next write; return the call that waits for it.

    Then the grant and the events are stored, and the attempt is erased from the journal. The lease
    may have run out: the provider may accept no other grant than this one. The call returns False
    if the connection has another grant since the lease; then neither is stored.
    """
    columns = {
        "lease_until": None,
        "status": ConnectionStatus.ACTIVE.value,
        "reason": None,
        "failures": 0,
        **_C.build_grant_columns(lease.connection_id, lease.version, grant, now),
    }
    return _group.defer(EndRenewal(_key(lease), columns, events))


def _key(lease: Lease) -> tuple[str, int]:
    return lease.connection_id, lease.version
