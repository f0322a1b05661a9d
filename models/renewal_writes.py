"""The writes of a renewal that goes well, made together with those of other threads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache, partial
from itertools import compress
from typing import Any, Final, NamedTuple

from models.attempts import TAB_ATTEMPTS
from models.connections import TAB_CONNECTIONS, ConnectionStatus, Grant
from models.events import TAB_EVENTS
from models.gathering import Gathered
from models.journal import Attempt
from models.leases import Lease
from models.many import DeleteMany, InsertMany, UpdateMany, writes_many_at_once
from models.renewals_at_once import begin_at_once, end_at_once

_C: Final = TAB_CONNECTIONS
_A: Final = TAB_ATTEMPTS
_PROLONG: Final = UpdateMany([_C.lease_until], [_C.id, _C.version, _C.lease_until])
_ENTER: Final = InsertMany(
    *(_A.connection_id, _A.version, _A.token_digest, _A.tries, _A.started_at), is_new_only=True
)
_END: Final = DeleteMany(_A.connection_id, _A.version)


class _Beginning(NamedTuple):
    lease: Lease
    until: datetime
    digest: str
    now: datetime


def begin_first_try(
    lease: Lease, lease_until: datetime, digest: str, now: datetime
) -> Attempt | None:
    """Prolong a lease and write down that its token is about to be sent.

    None if the lease was lost, or the connection has a row in the journal: nothing was done, and
    `begin_renewal` knows what is to be done then.
    """
    until = max(lease_until, lease.until + timedelta(milliseconds=1))
    if not _begin(_Beginning(lease, until, digest, now)):
        return None
    return Attempt(Lease(lease.connection_id, lease.version, until), now)


def _begin_all(beginnings: Sequence[_Beginning]) -> list[bool]:
    if writes_many_at_once():
        return begin_at_once(
            [
                (one.until, *_key(one.lease), one.lease.until, one.digest, one.now)
                for one in beginnings
            ]
        )
    return [_begin_one(one) for one in beginnings]


def _begin_one(one: _Beginning) -> bool:
    lease = _key(one.lease)
    if not any(_PROLONG.execute([(one.until, *lease, one.lease.until)])):
        return False
    is_entered = any(_ENTER.execute([(*lease, one.digest, 1, one.now)]))
    if not is_entered:
        _PROLONG.execute([(one.lease.until, *lease, one.until)])
    return is_entered


def _key(lease: Lease) -> tuple[str, int]:
    return lease.connection_id, lease.version


_begin: Final = Gathered(_begin_all, is_one_statement=True)


class _Ending(NamedTuple):
    lease: Lease
    columns: Mapping[str, Any]
    events: Sequence[Mapping[str, Any]]


def finish_renewal(
    lease: Lease, grant: Grant, now: datetime, events: Sequence[Mapping[str, Any]] = ()
) -> bool:
    """Store what a renewal brought, and what is to be told of it, and end its journal.

    A lease that ran out meanwhile is no hindrance: the provider may honour nothing but this grant.

    Returns:
        False when the connection has another grant since the lease: nothing is stored or told.
    """
    columns = {
        "lease_until": None,
        "status": ConnectionStatus.ACTIVE.value,
        "reason": None,
        "failures": 0,
        **_C.granted(lease.connection_id, lease.version, grant, now),
    }
    return _finisher(tuple(columns))(_Ending(lease, columns, events))


def _finish_all(names: tuple[str, ...], endings: Sequence[_Ending]) -> list[bool]:
    rows = [(*one.columns.values(), *_key(one.lease)) for one in endings]
    if writes_many_at_once():
        events = [(place, event) for place, one in enumerate(endings) for event in one.events]
        return end_at_once(names, rows, events)
    stored = _statement_for(names).execute(rows)
    _END.execute([_key(one.lease) for one in endings])
    TAB_EVENTS.add_all([event for one in compress(endings, stored) for event in one.events])
    return stored


@cache
def _finisher(names: tuple[str, ...]) -> Gathered[_Ending, bool]:
    """Return what writes the endings that set these columns; there are a few sets of them."""
    return Gathered(partial(_finish_all, names), is_one_statement=True)


@cache
def _statement_for(names: tuple[str, ...]) -> UpdateMany:
    return UpdateMany([getattr(_C, name) for name in names], [_C.id, _C.version])
