"""The writes of a renewal that goes well, made together with those of other threads."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from itertools import compress
from typing import Any, Final, NamedTuple

from models.attempts import TAB_ATTEMPTS
from models.connections import TAB_CONNECTIONS, ConnectionStatus, Grant
from models.events import TAB_EVENTS
from models.gathering import Gathered
from models.journal import Attempt
from models.leases import Lease
from models.many import DeleteMany, InsertMany, UpdateMany

_C: Final = TAB_CONNECTIONS
_A: Final = TAB_ATTEMPTS
_PROLONG: Final = UpdateMany([_C.lease_until], [_C.id, _C.version, _C.lease_until])
_ENTER: Final = InsertMany(
    *(_A.connection_id, _A.version, _A.token_digest, _A.tries, _A.started_at), is_new_only=True
)
_END: Final = DeleteMany(_A.connection_id, _A.version)


class EarlierTry(Exception):
    """The journal knows of a try before this one: what has become of it must be looked at first."""


class _Beginning(NamedTuple):
    lease: Lease
    until: datetime
    digest: str
    now: datetime


def begin_first_try(
    lease: Lease, lease_until: datetime, digest: str, now: datetime
) -> Attempt | None:
    """Prolong a lease and write down that its token is about to be sent; None if it was lost.

    Raises:
        EarlierTry: Nothing was done, since the connection has a row in the journal.
    """
    until = max(lease_until, lease.until + timedelta(milliseconds=1))
    is_held, is_entered = _begin(_Beginning(lease, until, digest, now))
    if not is_held:
        return None
    if not is_entered:
        raise EarlierTry
    return Attempt(Lease(lease.connection_id, lease.version, until), now)


def _begin_all(beginnings: Sequence[_Beginning]) -> list[tuple[bool, bool]]:
    leases = [(one.until, *_key(one.lease), one.lease.until) for one in beginnings]
    held = _PROLONG.execute(leases)
    begun = list(compress(beginnings, held))
    rows = [(*_key(one.lease), one.digest, 1, one.now) for one in begun]
    entered = dict(zip(begun, _ENTER.execute(rows), strict=True))
    put_back = [one for one, is_new in entered.items() if not is_new]
    _PROLONG.execute([(one.lease.until, *_key(one.lease), one.until) for one in put_back])
    return [
        (is_held, entered.get(one, False)) for one, is_held in zip(beginnings, held, strict=True)
    ]


def _key(lease: Lease) -> tuple[str, int]:
    return lease.connection_id, lease.version


_begin: Final = Gathered(_begin_all)


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
    return _finish(_Ending(lease, columns, events))


def _finish_all(endings: Sequence[_Ending]) -> list[bool]:
    stored = [False] * len(endings)
    by_columns: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
    for place, one in enumerate(endings):
        by_columns[tuple(one.columns)].append(place)
    for names, places in by_columns.items():
        rows = [(*endings[at].columns.values(), *_key(endings[at].lease)) for at in places]
        for at, is_stored in zip(places, _statement_for(names).execute(rows), strict=True):
            stored[at] = is_stored
    _END.execute([_key(one.lease) for one in endings])
    TAB_EVENTS.add_all([row for one in compress(endings, stored) for row in one.events])
    return stored


@cache
def _statement_for(names: tuple[str, ...]) -> UpdateMany:
    return UpdateMany([getattr(_C, name) for name in names], [_C.id, _C.version])


_finish: Final = Gathered(_finish_all)
