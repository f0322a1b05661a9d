"""Group commit of renewals: what threads write at the same time is one transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import peewee

from models.db.database import database, transaction
from models.db.errors import DatabaseUnreachable
from models.db.statements import PreparedStatement, supports_bulk_writes
from models.oauth.connections import TAB_CONNECTIONS, ConnectionStatus
from models.oauth.grants import Grant
from models.renewal.bulk import Kind, write_in_bulk
from models.renewal.group_commit import GroupCommit
from models.renewal.journal import Attempt
from models.renewal.leases import Lease
from models.renewal.writes import BeginAttempt, EndRenewal, StoreAnswer, Write


def perform_writes(writes: Sequence[Write]) -> list[bool]:
    """Make writes in their order; return of each whether it found its row as expected.

    On PostgreSQL it is one statement, which needs no transaction around it; elsewhere the caller
    provides one.
    """
    is_one_each = len({write.key[0] for write in writes}) == len(writes)
    if not supports_bulk_writes():
        if is_one_each and len(writes) > 1 and _write_together(writes):
            return [True] * len(writes)
        return [write.execute() for write in writes]
    if is_one_each:
        return write_in_bulk([_build_row(write) for write in writes])
    # One statement would see a connection's row as it was before, and change it once.
    with transaction():
        return [write_in_bulk([_build_row(write)])[0] for write in writes]


class _RowMissing(Exception):
    """Raised to undo writes of which one has not found its row."""


def _write_together(writes: Sequence[Write]) -> bool:
    """Make writes of different connections by one call a statement; none if a row is missing."""
    rows: dict[PreparedStatement, list[Sequence[Any]]] = {}
    for write in writes:
        for statement, row in write.list_statements():
            rows.setdefault(statement, []).append(row)
    try:
        with database.atomic():
            if not all(statement.execute_each(them) for statement, them in rows.items()):
                raise _RowMissing
    except _RowMissing:
        return False
    return True


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
        **TAB_CONNECTIONS.build_grant_columns(lease.connection_id, lease.version, grant, now),
    }
    return _group.defer(EndRenewal(_key(lease), columns, events))


def _key(lease: Lease) -> tuple[str, int]:
    return lease.connection_id, lease.version
