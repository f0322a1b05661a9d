"""The writes of many renewals, of all kinds together, in one statement of PostgreSQL."""

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
    """A kind of write: its name, the columns of a row that is given, and what is done with them.

    The last of its parts has the numbers of the rows that were written.
    """

    name: str
    columns: str
    parts: str
    written: str


def _columns(fields: Mapping[str, peewee.Field]) -> str:
    """Return the columns of rows that are given; more than these are passed over."""
    kinds = {name: field.field_type for name, field in fields.items()}
    named = [f"{name} {'BYTEA' if kind == 'BLOB' else kind}" for name, kind in kinds.items()]
    return ", ".join(["number INTEGER", *named])


_Fields = Mapping[str, peewee.Field]
_KEY: Final[_Fields] = {"id": _C.id, "version": _C.version}
_BEGINNING: Final[_Fields] = {"lease_until": _C.lease_until, "until_then": _C.lease_until}

BEGIN: Final = Kind(
    "beginning",
    _columns({**_KEY, **_BEGINNING, "digest": _A.token_digest, "started_at": _A.started_at}),
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
    _columns({**_KEY, "sealed": _A.answer}),
    """answered AS (
    UPDATE attempts SET answer = answer.sealed FROM answer
    WHERE attempts.connection_id = answer.id AND attempts.version = answer.version
    RETURNING answer.number
)""",
    "answered",
)

#: What every renewal that goes well sets.
_ALWAYS: Final = (
    *("lease_until", "status", "reason", "failures", "scope", "missing_scope", "token_type"),
    *("access_token", "expires_at", "renew_at", "updated_at"),
)
#: And what it leaves as it is where nothing is given.
_SOMETIMES: Final = ("refresh_token", "grant_expires_at", "warn_at")
_EVENT_NAMES: Final = ", ".join(field.name for field in EVENT_FIELDS)

END: Final = Kind(
    "ending",
    _columns({**_KEY, **{name: getattr(_C, name) for name in (*_ALWAYS, *_SOMETIMES)}})
    + ", has_end BOOLEAN, events JSON",
    f"""stored AS (
    UPDATE connections SET version = ending.version + 1,
    {", ".join(f"{name} = ending.{name}" for name in _ALWAYS)},
    refresh_token = COALESCE(ending.refresh_token, connections.refresh_token),
    grant_expires_at = CASE WHEN has_end THEN ending.grant_expires_at
    ELSE connections.grant_expires_at END,
    warn_at = CASE WHEN has_end THEN ending.warn_at ELSE connections.warn_at END
    FROM ending WHERE connections.id = ending.id AND connections.version = ending.version
    RETURNING ending.number, ending.events
), ended AS (
    DELETE FROM attempts USING ending
    WHERE attempts.connection_id = ending.id AND attempts.version = ending.version
), told AS (
    INSERT INTO events ({_EVENT_NAMES})
    SELECT {", ".join(f"told.{field.name}" for field in EVENT_FIELDS)}
    FROM stored, json_to_recordset(stored.events)
    AS told ({_columns({field.name: field for field in EVENT_FIELDS})})
)""",  # noqa: S608
    "stored",
)


def write_at_once(writes: Sequence[tuple[Kind, Mapping[str, Any]]]) -> list[bool]:
    """Make writes, no two of them to one connection; tell of each whether it found its row."""
    rows: dict[Kind, list[Mapping[str, Any]]] = {}
    for number, (kind, row) in enumerate(writes):
        rows.setdefault(kind, []).append({"number": number, **row})
    kinds = tuple(sorted(rows, key=lambda kind: kind.name))
    given = [json.dumps(rows[kind], default=_plain) for kind in kinds]
    told = {number for (number,) in database.execute_sql(_text(kinds), given)}
    return [number in told for number in range(len(writes))]


@cache
def _text(kinds: tuple[Kind, ...]) -> str:
    # One text a kind is quickly handed over; arrays, one a column, take ten times as long.
    parts = ", ".join(f"{_given(kind)}, {kind.parts}" for kind in kinds)
    numbers = " UNION ALL ".join(f"SELECT number FROM {kind.written}" for kind in kinds)  # noqa: S608
    return f"WITH {parts} {numbers}"


def _given(kind: Kind) -> str:
    return f"{kind.name} AS (SELECT * FROM json_to_recordset(%s::json) AS given ({kind.columns}))"  # noqa: S608


def _plain(value: Any) -> Any:
    """Write what JSON has no form for: sealed bytes, and times."""
    return f"\\x{value.hex()}" if isinstance(value, bytes) else _TIME.db_value(value)
