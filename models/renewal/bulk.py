"""Bulk write: the writes of many renewals, of every kind, in one statement of PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import peewee

from models.db.database import database
from models.db.fields import UTCDateTimeField
from models.events import EVENT_FIELDS
from models.oauth.connections import TAB_CONNECTIONS
from models.renewal.journal import TAB_ATTEMPTS

_C: Final = TAB_CONNECTIONS
_A: Final = TAB_ATTEMPTS
_TIME: Final = UTCDateTimeField()


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of write: its name, the columns of its rows, and its common table expressions.

    The expression `written` yields the numbers of the rows that were written.
    """

    name: str
    columns: str
    parts: str
    written: str


def _define_columns(fields: Mapping[str, peewee.Field]) -> str:
    """Return the column definitions of rows in JSON; a row's further members are ignored."""
    types = {name: field.field_type for name, field in fields.items()}
    defined = [f"{name} {'BYTEA' if type_ == 'BLOB' else type_}" for name, type_ in types.items()]
    return ", ".join(["number INTEGER", *defined])


_Fields = Mapping[str, peewee.Field]
_KEY: Final[_Fields] = {"id": _C.id, "version": _C.version}
_BEGINNING: Final[_Fields] = {"lease_until": _C.lease_until, "until_then": _C.lease_until}

BEGIN: Final = Kind(
    "beginning",
    _define_columns({**_KEY, **_BEGINNING, "digest": _A.token_digest, "started_at": _A.started_at}),
    """held AS (
    UPDATE connections SET lease_until = beginning.until_then FROM beginning
    WHERE connections.id = beginning.id AND connections.version = beginning.version
    AND connections.lease_until = beginning.lease_until
    AND NOT EXISTS (SELECT FROM attempts WHERE attempts.connection_id = beginning.id)
    RETURNING beginning.*
), entered AS (
    INSERT INTO attempts (connection_id, version, token_digest, tries, started_at)
    SELECT id, version, digest, 1, started_at FROM held
    ON CONFLICT DO NOTHING RETURNING connection_id
), begun AS (
    SELECT number FROM held JOIN entered ON entered.connection_id = held.id
)""",
    "begun",
)

ANSWER: Final = Kind(
    "answer",
    _define_columns({**_KEY, "sealed": _A.answer}),
    """answered AS (
    UPDATE attempts SET answer = answer.sealed FROM answer
    WHERE attempts.connection_id = answer.id AND attempts.version = answer.version
    RETURNING answer.number
)""",
    "answered",
)

#: The columns that every successful renewal sets.
_ALWAYS: Final = (
    *("lease_until", "status", "reason", "failures", "scope", "missing_scope", "token_type"),
    *("access_token", "expires_at", "renew_at", "updated_at"),
)
#: The columns that it leaves as they are if it has no value for them.
_SOMETIMES: Final = (
    *("refresh_token", "metadata", "metadata_mac", "lifetime_seconds"),
    *("grant_expires_at", "warn_at"),
)
_EVENT_NAMES: Final = ", ".join(field.name for field in EVENT_FIELDS)

END: Final = Kind(
    "ending",
    _define_columns({**_KEY, **{name: getattr(_C, name) for name in (*_ALWAYS, *_SOMETIMES)}})
    + ", has_end BOOLEAN, events JSON",
    f"""stored AS (
    UPDATE connections SET version = ending.version + 1,
    {", ".join(f"{name} = ending.{name}" for name in _ALWAYS)},
    refresh_token = COALESCE(ending.refresh_token, connections.refresh_token),
    metadata = COALESCE(ending.metadata, connections.metadata),
    metadata_mac = COALESCE(ending.metadata_mac, connections.metadata_mac),
    lifetime_seconds = COALESCE(ending.lifetime_seconds, connections.lifetime_seconds),
    grant_expires_at = CASE WHEN has_end THEN ending.grant_expires_at
    ELSE connections.grant_expires_at END,
    warn_at = CASE WHEN has_end THEN ending.warn_at ELSE connections.warn_at END
    FROM ending WHERE connections.id = ending.id AND connections.version = ending.version
    RETURNING ending.number, ending.events
), ended AS (
    DELETE FROM attempts USING ending
    WHERE attempts.connection_id = ending.id AND attempts.version = ending.version
), recorded AS (
    INSERT INTO events ({_EVENT_NAMES})
    SELECT {", ".join(f"event.{field.name}" for field in EVENT_FIELDS)}
    FROM stored, json_to_recordset(stored.events)
    AS event ({_define_columns({field.name: field for field in EVENT_FIELDS})})
)""",  # noqa: S608
    "stored",
)


def write_in_bulk(writes: Sequence[tuple[Kind, Mapping[str, Any]]]) -> list[bool]:
    """Make writes, at most one a connection; return of each whether it found its row."""
    rows: dict[Kind, list[Mapping[str, Any]]] = {}
    for number, (kind, row) in enumerate(writes):
        rows.setdefault(kind, []).append({"number": number, **row})
    kinds = tuple(sorted(rows, key=lambda kind: kind.name))
    parameters = [json.dumps(rows[kind], default=_encode) for kind in kinds]
    written = {number for (number,) in database.execute_sql(_build_sql(kinds), parameters)}
    return [number in written for number in range(len(writes))]


@cache
def _build_sql(kinds: tuple[Kind, ...]) -> str:
    # One JSON text a kind is bound quickly; arrays, one a column, take ten times as long.
    parts = ", ".join(f"{_read_rows(kind)}, {kind.parts}" for kind in kinds)
    numbers = " UNION ALL ".join(f"SELECT number FROM {kind.written}" for kind in kinds)  # noqa: S608
    return f"WITH {parts} {numbers}"


def _read_rows(kind: Kind) -> str:
    return f"{kind.name} AS (SELECT * FROM json_to_recordset(%s::json) AS given ({kind.columns}))"  # noqa: S608


def _encode(value: Any) -> Any:
    """Write sealed bytes and times, for which JSON has no form."""
    return f"\\x{value.hex()}" if isinstance(value, bytes) else _TIME.db_value(value)
