"""The same write to many rows: in one statement on PostgreSQL, in one each on the others."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import peewee

from models.database import database

Row = Sequence[Any]


class Many(ABC):
    """A statement whose text stays the same however many rows it is for, and so is written once.

    Peewee would write it anew each time, which takes longer than the database does.
    """

    def __init__(self, *fields: peewee.Field) -> None:
        """Take the fields, all of one table, in the order of a row's values."""
        self._fields = fields
        self._texts: dict[type, str] = {}

    def execute(self, rows: Sequence[Row]) -> list[bool]:
        """Write the rows, and tell of each whether it was written; call this in a transaction."""
        values = _converted(self._fields, rows)
        if len(values) > 1 and writes_many_at_once():
            return self._execute_at_once(values)
        text = self._text_of(type(database.obj))
        return [database.execute_sql(text, row).rowcount > 0 for row in values]

    def _execute_at_once(self, values: Sequence[Row]) -> list[bool]:
        columns = [list(column) for column in zip(*values, strict=True)]
        told = {key for (key,) in database.execute_sql(self._text_at_once, columns)}
        return [key in told for key in self._keys_of(values)]

    def _keys_of(self, values: Sequence[Row]) -> Sequence[Any]:
        """Return for each row what the statement at once returns of it, if it is written."""
        return range(1, len(values) + 1)

    def _text_of(self, kind: type) -> str:
        if kind not in self._texts:
            self._texts[kind] = self._text()
        return self._texts[kind]

    @cached_property
    def _text_at_once(self) -> str:
        arrays = list(map(array_mark, self._fields))
        names = ", ".join(f"c{place}" for place in range(len(arrays)))
        given = f"unnest({', '.join(arrays)}) WITH ORDINALITY AS given({names}, number)"
        return self._text_for(given)

    @abstractmethod
    def _text(self) -> str:
        """Write the statement for one row, in the process's database."""

    @abstractmethod
    def _text_for(self, given: str) -> str:
        """Write the statement for the rows `given`, which returns the keys of those written."""

    @property
    def _table(self) -> str:
        return quoted(self._fields[0].model._meta.table_name)

    def _names(self) -> list[str]:
        return [quoted(field.column_name) for field in self._fields]


class UpdateMany(Many):
    """Sets the first fields where the others are as given."""

    def __init__(self, changes: Sequence[peewee.Field], where: Sequence[peewee.Field]) -> None:
        """Take what is set, and what must be as given."""
        super().__init__(*changes, *where)
        self._count = len(changes)

    def _text(self) -> str:
        pairs = [f"{name} = {database.param}" for name in self._names()]
        changes, where = pairs[: self._count], pairs[self._count :]
        return f"UPDATE {self._table} SET {', '.join(changes)} WHERE {' AND '.join(where)}"  # noqa: S608

    def _text_for(self, given: str) -> str:
        pairs = [f"{name} = given.c{place}" for place, name in enumerate(self._names())]
        where = [f"{self._table}.{pair}" for pair in pairs[self._count :]]
        changes = ", ".join(pairs[: self._count])
        return (
            f"UPDATE {self._table} SET {changes} FROM {given} "  # noqa: S608
            f"WHERE {' AND '.join(where)} RETURNING given.number"
        )


class DeleteMany(Many):
    """Deletes where all fields are as given."""

    def _text(self) -> str:
        where = [f"{name} = {database.param}" for name in self._names()]
        return f"DELETE FROM {self._table} WHERE {' AND '.join(where)}"  # noqa: S608

    def _text_for(self, given: str) -> str:
        where = [
            f"{self._table}.{name} = given.c{place}" for place, name in enumerate(self._names())
        ]
        return (
            f"DELETE FROM {self._table} USING {given} "  # noqa: S608
            f"WHERE {' AND '.join(where)} RETURNING given.number"
        )


class InsertMany(Many):
    """Adds rows; with `is_new_only` not those whose first field, their key, is there already."""

    def __init__(self, *fields: peewee.Field, is_new_only: bool = False) -> None:
        """Take what is set, the key first."""
        super().__init__(*fields)
        self._is_new_only = is_new_only

    def _text(self) -> str:
        marks = ", ".join(database.param for _ in self._fields)
        is_mysql = isinstance(database.obj, peewee.MySQLDatabase)
        verb = "INSERT IGNORE" if is_mysql and self._is_new_only else "INSERT"
        ending = "" if is_mysql else self._ending
        return f"{verb} INTO {self._table} ({', '.join(self._names())}) VALUES ({marks}){ending}"

    def _text_for(self, given: str) -> str:
        names = self._names()
        values = ", ".join(f"given.c{place}" for place in range(len(names)))
        return (
            f"INSERT INTO {self._table} ({', '.join(names)}) SELECT {values} FROM {given}"  # noqa: S608
            f"{self._ending} RETURNING {names[0]}"
        )

    @property
    def _ending(self) -> str:
        return " ON CONFLICT DO NOTHING" if self._is_new_only else ""

    def _keys_of(self, values: Sequence[Row]) -> Sequence[Any]:
        return [row[0] for row in values]


def _converted(fields: Sequence[peewee.Field], rows: Sequence[Row]) -> list[list[Any]]:
    return [
        [field.db_value(value) for field, value in zip(fields, row, strict=True)] for row in rows
    ]


def columns_of(fields: Sequence[peewee.Field], rows: Sequence[Row]) -> list[list[Any]]:
    """Return the rows' values as the database takes them, all of one field together."""
    return [list(column) for column in zip(*_converted(fields, rows), strict=True)]


def array_mark(field: peewee.Field) -> str:
    """Return what stands in a statement of PostgreSQL for all values of a field."""
    kind = "BYTEA" if field.field_type == "BLOB" else field.field_type
    return f"%s::{kind}[]"


def writes_many_at_once() -> bool:
    """Tell whether the process's database writes many rows by one statement."""
    return isinstance(database.obj, peewee.PostgresqlDatabase)


def quoted(name: str) -> str:
    """Return a name as the process's database wants to read it."""
    mark = database.quote[0]
    return f"{mark}{name}{mark}"
