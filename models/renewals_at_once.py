"""The beginnings and ends of many renewals, each in one statement of PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, Final

import peewee

from models.attempts import TAB_ATTEMPTS
from models.connections import TAB_CONNECTIONS
from models.database import database
from models.events import EVENT_FIELDS
from models.many import array_mark, columns_of

_C: Final = TAB_CONNECTIONS
_A: Final = TAB_ATTEMPTS
_BEGINNING: Final = (_C.lease_until, _C.id, _C.version, _C.lease_until, _A.token_digest)
_BEGINNING_FIELDS: Final = (*_BEGINNING, _A.started_at)
_BEGIN: Final = f"""
WITH given AS (
    SELECT * FROM unnest({", ".join(map(array_mark, _BEGINNING_FIELDS))}) WITH ORDINALITY
    AS given (until, connection_id, version, lease_until, digest, started_at, number)
), held AS (
    UPDATE connections SET lease_until = given.until FROM given
    WHERE connections.id = given.connection_id AND connections.version = given.version
    AND connections.lease_until = given.lease_until
    AND NOT EXISTS (SELECT FROM attempts WHERE attempts.connection_id = given.connection_id)
    RETURNING given.*
), entered AS (
    INSERT INTO attempts (connection_id, version, token_digest, tries, started_at)
    SELECT connection_id, version, digest, 1, started_at FROM held
    ON CONFLICT DO NOTHING RETURNING connection_id
)
SELECT number FROM held JOIN entered USING (connection_id)
"""  # noqa: S608


def begin_at_once(rows: Sequence[Sequence[Any]]) -> list[bool]:
    """Prolong leases and write their attempts down, where there are none yet; tell which.

    A row is when the lease is to end, id, version, when it ends, the token's digest, and the time.
    """
    return _numbers(_BEGIN, columns_of(_BEGINNING_FIELDS, rows), len(rows))


def end_at_once(
    names: tuple[str, ...], rows: Sequence[Sequence[Any]], events: Sequence[tuple[int, Any]]
) -> list[bool]:
    """Set the columns of these names, end the attempts, and tell which connections were as given.

    A row has the columns, id and version; an event, the place of its row and what it says, which is
    told only if the row was stored.
    """
    fields = [*(getattr(_C, name) for name in names), _C.id, _C.version]
    told = [[row[field.name] for field in EVENT_FIELDS] for _, row in events]
    values = [
        *columns_of(fields, rows),
        *(columns_of(EVENT_FIELDS, told) or [[] for _ in EVENT_FIELDS]),
        [place + 1 for place, _ in events],
    ]
    return _numbers(_end_text(names), values, len(rows))


@cache
def _end_text(names: tuple[str, ...]) -> str:
    fields = [*(getattr(_C, name) for name in names), _C.id, _C.version]
    given = ", ".join(f"c{place}" for place in range(len(fields)))
    changes = ", ".join(f"{name} = given.c{place}" for place, name in enumerate(names))
    id_, version = f"given.c{len(names)}", f"given.c{len(names) + 1}"
    events = ", ".join(field.column_name for field in EVENT_FIELDS)
    return f"""
WITH given AS (
    SELECT * FROM unnest({_marks(fields)}) WITH ORDINALITY AS given ({given}, number)
), stored AS (
    UPDATE connections SET {changes} FROM given
    WHERE connections.id = {id_} AND connections.version = {version} RETURNING given.number
), ended AS (
    DELETE FROM attempts USING given
    WHERE attempts.connection_id = {id_} AND attempts.version = {version}
), told AS (
    INSERT INTO events ({events})
    SELECT {events} FROM unnest({_marks(EVENT_FIELDS)}, %s::bigint[]) AS told ({events}, number)
    WHERE number IN (SELECT number FROM stored)
)
SELECT number FROM stored
"""  # noqa: S608


def _marks(fields: Sequence[peewee.Field]) -> str:
    return ", ".join(map(array_mark, fields))


def _numbers(text: str, columns: Sequence[Sequence[Any]], count: int) -> list[bool]:
    told = {number for (number,) in database.execute_sql(text, columns)}
    return [number in told for number in range(1, count + 1)]
