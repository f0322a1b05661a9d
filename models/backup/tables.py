"""Raw rows of every table: read in one snapshot, and written in bulk to an unused database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any, Final

import peewee

from models.db.database import database, hold_connection

#: All tables but the history of migrations, each behind those that it refers to.
TABLES: Final = (
    *("api_keys", "apps", "boots", "connect_sessions", "connections", "attempts", "crons"),
    *("derived_tokens", "device_authorizations", "events", "imported_grants", "provider_health"),
    *("retired_queue_keys", "sealing_keys", "server", "user_oauth_connection", "verification"),
    "webhook_deliveries",
)
HISTORY: Final = "schema_migration"
#: How many rows each of these may have before the service has been used; None: any number.
_FROM_THE_START: Final[Mapping[str, int | None]] = {
    "apps": 1,
    "boots": None,
    "crons": None,
    "sealing_keys": None,
    "server": None,
}
_BATCH: Final = 1000


@contextmanager
def hold_snapshot() -> Iterator[None]:
    """Read all tables as they are at one moment; writers go on meanwhile."""
    with hold_connection():
        if isinstance(database.obj, peewee.SqliteDatabase):
            # IMMEDIATE, the usual, would keep all writers waiting.
            with database.obj.transaction("DEFERRED"):
                yield
            return
        with database.atomic():
            if isinstance(database.obj, peewee.PostgresqlDatabase):
                database.execute_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield


def list_existing() -> list[str]:
    """Return those of the tables that are there, in their order."""
    there = set(database.get_tables())
    return [table for table in TABLES if table in there]


def is_unused() -> bool:
    """Return whether the tables hold no more than a new database's do."""
    for table in list_existing():
        limit = _FROM_THE_START.get(table, 0)
        if limit is not None and _count(table) > limit:
            return False
    return True


def drop_all() -> None:
    """Drop all tables, the history of migrations included."""
    for table in (*reversed(list_existing()), HISTORY):
        database.execute_sql(f"DROP TABLE IF EXISTS {_quote(table)}")


def list_columns(table: str) -> list[str]:
    """Return the names of a table's columns, in one order."""
    return sorted(column.name for column in database.get_columns(table))


def read_rows(table: str, columns: Sequence[str]) -> Iterator[Sequence[Any]]:
    """Yield the rows of a table as the database stores them, without holding them all."""
    query = f"SELECT {_join(columns)} FROM {_quote(table)}"  # noqa: S608  # Names are our own.
    if isinstance(database.obj, peewee.PostgresqlDatabase):
        # A cursor of the server's: the usual one fetches all rows at once.
        with database.connection().cursor("backup") as cursor:
            cursor.itersize = _BATCH
            yield from cursor.execute(query)
        return
    yield from database.execute_sql(query)


def write_rows(table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
    """Write rows to a table in place of what is in it, and return their count."""
    kinds = {column.name: column.data_type.lower() for column in database.get_columns(table)}
    flags = [index for index, name in enumerate(columns) if kinds[name].startswith("bool")]
    marks = ", ".join([database.param] * len(columns))
    statement = f"INSERT INTO {_quote(table)} ({_join(columns)}) VALUES ({marks})"  # noqa: S608
    database.execute_sql(f"DELETE FROM {_quote(table)}")  # noqa: S608
    count, rows = 0, iter(rows)
    while batch := [_with_flags(row, flags) for row in islice(rows, _BATCH)]:
        database.cursor().executemany(statement, batch)
        count += len(batch)
    _continue_numbers(table)
    return count


def _with_flags(row: Sequence[Any], flags: Sequence[int]) -> list[Any]:
    """Return a row whose flags are such: SQLite stores them as numbers."""
    values = list(row)
    for index in flags:
        values[index] = None if values[index] is None else bool(values[index])
    return values


def _continue_numbers(table: str) -> None:
    """Let PostgreSQL number new rows behind those that were written with their numbers."""
    if not isinstance(database.obj, peewee.PostgresqlDatabase):
        return
    for key in database.get_primary_keys(table):
        query = "SELECT pg_get_serial_sequence(%s, %s)"
        [sequence] = database.execute_sql(query, (_quote(table), key)).fetchone()
        if sequence is not None:
            last = f"(SELECT max({_quote(key)}) FROM {_quote(table)})"  # noqa: S608
            database.execute_sql(f"SELECT setval(%s, coalesce({last}, 1))", (sequence,))


def _count(table: str) -> int:
    found = database.execute_sql(f"SELECT count(*) FROM {_quote(table)}")  # noqa: S608
    return int(found.fetchone()[0])


def _join(names: Sequence[str]) -> str:
    return ", ".join(map(_quote, names))


def _quote(name: str) -> str:
    opening, closing = database.quote
    return f"{opening}{name}{closing}"
