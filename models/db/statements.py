"""The same write to many rows, one after the other, its text written once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import peewee

from models.db.database import database


class PreparedStatement(ABC):
    """A statement for one row, to be executed many times.

    Peewee would write its text anew each time, which takes longer than the database does.
    """

    def __init__(self, *fields: peewee.Field) -> None:
        """Take the fields, all of one table, in the order of a row's values."""
        self._fields = fields
        self._texts: dict[type, str] = {}

    def execute(self, *row: Any) -> bool:
        """Write a row, and tell whether it was written."""
        values = [field.db_value(value) for field, value in zip(self._fields, row, strict=True)]
        kind = type(database.obj)
        if kind not in self._texts:
            self._texts[kind] = self._text()
        return bool(database.execute_sql(self._texts[kind], values).rowcount > 0)

    @abstractmethod
    def _text(self) -> str:
        """Write the statement, for the process's database."""

    @property
    def _table(self) -> str:
        return _quoted(self._fields[0].model._meta.table_name)

    def _names(self) -> list[str]:
        return [_quoted(field.column_name) for field in self._fields]

    def _pairs(self) -> list[str]:
        return [f"{name} = {database.param}" for name in self._names()]


class PreparedUpdate(PreparedStatement):
    """Sets the first fields where the others are as given."""

    def __init__(self, changes: Sequence[peewee.Field], where: Sequence[peewee.Field]) -> None:
        """Take what is set, and what must be as given."""
        super().__init__(*changes, *where)
        self._count = len(changes)

    def _text(self) -> str:
        changes, where = self._pairs()[: self._count], self._pairs()[self._count :]
        return f"UPDATE {self._table} SET {', '.join(changes)} WHERE {' AND '.join(where)}"  # noqa: S608


class PreparedDelete(PreparedStatement):
    """Deletes where all fields are as given."""

    def _text(self) -> str:
        return f"DELETE FROM {self._table} WHERE {' AND '.join(self._pairs())}"  # noqa: S608


class PreparedInsert(PreparedStatement):
    """Adds rows; with `ignore_conflicts` not those whose key is there already."""

    def __init__(self, *fields: peewee.Field, ignore_conflicts: bool = False) -> None:
        """Take what is set."""
        super().__init__(*fields)
        self._ignore_conflicts = ignore_conflicts

    def _text(self) -> str:
        marks = ", ".join(database.param for _ in self._fields)
        is_mysql = isinstance(database.obj, peewee.MySQLDatabase)
        verb = "INSERT IGNORE" if is_mysql and self._ignore_conflicts else "INSERT"
        ending = " ON CONFLICT DO NOTHING" if self._ignore_conflicts and not is_mysql else ""
        return f"{verb} INTO {self._table} ({', '.join(self._names())}) VALUES ({marks}){ending}"


def supports_bulk_writes() -> bool:
    """Tell whether the process's database writes many rows by one statement."""
    return isinstance(database.obj, peewee.PostgresqlDatabase)


def _quoted(name: str) -> str:
    """Return a name as the process's database wants to read it."""
    mark = database.quote[0]
    return f"{mark}{name}{mark}"
