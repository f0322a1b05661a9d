"""The writes of a renewal that goes well, made together with those of other threads."""

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
from models.renewal.bulk import ANSWER, BEGIN, END, Kind, write_at_once
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


class _Write(Protocol):
    """A write for one version of one connection."""

    @property
    def key(self) -> tuple[str, int]:
        """The connection's id, and the version."""

    def execute(self) -> bool:
        """Make the write; tell whether it found its row as it was to be."""

    def at_once(self) -> tuple[Kind, Mapping[str, Any]]:
        """Return the write as PostgreSQL takes it together with others."""


@dataclass(frozen=True, slots=True)
class _Beginning:
    key: tuple[str, int]
    lease_until: datetime
    until_then: datetime
    digest: str
    started_at: datetime

    def execute(self) -> bool:
        if not _PROLONG.execute(self.until_then, *self.key, self.lease_until):
            return False
        is_entered = _ENTER.execute(*self.key, self.digest, 1, self.started_at)
        if not is_entered:
            _PROLONG.execute(self.lease_until, *self.key, self.until_then)
        return is_entered

    def at_once(self) -> tuple[Kind, Mapping[str, Any]]:
        times = {"lease_until": self.lease_until, "until_then": self.until_then}
        return BEGIN, {**times, "digest": self.digest, "started_at": self.started_at}


@dataclass(frozen=True, slots=True)
class _Answer:
    key: tuple[str, int]
    sealed: bytes

    def execute(self) -> bool:
        return _KEEP.execute(self.sealed, *self.key)

    def at_once(self) -> tuple[Kind, Mapping[str, Any]]:
        return ANSWER, {"sealed": self.sealed}


@dataclass(frozen=True, slots=True)
class _Ending:
    key: tuple[str, int]
    columns: Mapping[str, Any]
    events: Sequence[Mapping[str, Any]]

    def execute(self) -> bool:
        is_stored = _store(tuple(self.columns)).execute(*self.columns.values(), *self.key)
        _END.execute(*self.key)
        if is_stored:
            TAB_EVENTS.insert_rows(self.events)
        return is_stored

    def at_once(self) -> tuple[Kind, Mapping[str, Any]]:
        return END, {**self.columns, "has_end": "warn_at" in self.columns, "events": self.events}


@cache
def _store(names: tuple[str, ...]) -> PreparedUpdate:
    return PreparedUpdate([getattr(_C, name) for name in names], [_C.id, _C.version])


def _make(writes: Sequence[_Write]) -> list[bool]:
    if not supports_bulk_writes():
        return [write.execute() for write in writes]
    if len({write.key[0] for write in writes}) == len(writes):
        return write_at_once([_keyed(write) for write in writes])
    # One statement would see a row as it was before, and change it once.
    with transaction():
        return [write_at_once([_keyed(write)])[0] for write in writes]


def _keyed(write: _Write) -> tuple[Kind, Mapping[str, Any]]:
    kind, row = write.at_once()
    connection_id, version = write.key
    # Last: an ending has the next version among its columns.
    return kind, {**row, "id": connection_id, "version": version}


_gathered: Final = GroupCommit(_make, is_one_statement=True)
#: An answer waits for nobody who may have to wait for a connection that others are writing.
_answers: Final = GroupCommit(_make, is_one_statement=True)


def begin_first_attempt(
    lease: Lease, lease_until: datetime, digest: str, now: datetime
) -> Attempt | None:
    """Prolong a lease and write down that its token is about to be sent.

    None if the lease was lost, or the connection has a row in the journal: nothing was done, and
    `begin_renewal` knows what is to be done then.
    """
    until = max(lease_until, lease.until + timedelta(milliseconds=1))
    if not _gathered(_Beginning(_key(lease), lease.until, until, digest, now)):
        return None
    return Attempt(Lease(lease.connection_id, lease.version, until), now)


def write_answer(connection_id: str, version: int, sealed: bytes) -> bool:
    """Write an answer into the journal; false when the database does not take it, whyever."""
    # SQLite lets one writer in anyhow.
    gathered = _answers if database.for_update else _gathered
    try:
        gathered(_Answer((connection_id, version), sealed))
    except (DatabaseUnreachable, peewee.PeeweeException):
        return False
    return True


def finish_renewal(
    lease: Lease, grant: Grant, now: datetime, events: Sequence[Mapping[str, Any]] = ()
) -> bool:
    """Store what a renewal brought, and what is to be told of it, and end its journal.

    A lease that ran out meanwhile is no hindrance: the provider may honour nothing but this grant.

    Returns:
        False when the connection has another grant since the lease: nothing is stored or told.
    """
    return defer_finish(lease, grant, now, events)()


def defer_finish(
    lease: Lease, grant: Grant, now: datetime, events: Sequence[Mapping[str, Any]]
) -> Callable[[], bool]:
    """Finish a renewal with this thread's next write, which begins another one; return what waits.

    Until then its answer is in the journal.
    """
    columns = {
        "lease_until": None,
        "status": ConnectionStatus.ACTIVE.value,
        "reason": None,
        "failures": 0,
        **_C.build_grant_columns(lease.connection_id, lease.version, grant, now),
    }
    return _gathered.later(_Ending(_key(lease), columns, events))


def _key(lease: Lease) -> tuple[str, int]:
    return lease.connection_id, lease.version
