"""Prepared statement: SQL written once and executed for many rows, one after the other."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, TypeVar

import peewee

from models.db.database import Table, database

T = TypeVar("T", bound=Table)

#: Older versions of SQLite refuse a statement with more than a thousand values.
_MAX_VALUES: Final = 900
#: Fields whose values no driver needs in another form.
_PLAIN_TYPES: Final = {peewee.CharField: str, peewee.TextField: str, peewee.IntegerField: int}


class PreparedStatement(ABC):
    """A statement for one row of a table, executed many times.

    Peewee would build its text anew for each row, which takes longer than the database does.
    """

    def __init__(self, *fields: peewee.Field) -> None:
        """`fields`, all of one table, are in the order of a row's values."""
        self._fields = fields
        self._encoders: list[tuple[int, Callable[[Any], Any]]] = [
            (place, field.db_value)
            for place, field in enumerate(fields)
            if type(field) not in _PLAIN_TYPES
        ]
        self._texts: dict[type, str] = {}

    def execute(self, *row: Any) -> bool:
        """Write a row; False if the statement changed nothing."""
        return bool(database.execute_sql(self._get_sql(), self._encode(row)).rowcount > 0)

    def execute_many(self, rows: Iterable[Sequence[Any]]) -> None:
        """Write rows in the transaction that is open, in as few round trips as the driver can."""
        values = [self._encode(row) for row in rows]
        if values:
            with peewee.__exception_wrapper__:  # type: ignore[attr-defined]
                database.cursor().executemany(self._get_sql(), values)

    def execute_each(self, rows: Sequence[Sequence[Any]]) -> bool:
        """Write rows in the transaction that is open; False if some of them changed nothing.

        The driver's own loop takes half the time of as many calls of `execute`.
        """
        values = [self._encode(row) for row in rows]
        with peewee.__exception_wrapper__:  # type: ignore[attr-defined]
            cursor = database.cursor()
            cursor.executemany(self._get_sql(), values)
        return bool(cursor.rowcount == len(values))

    def _encode(self, row: Sequence[Any]) -> list[Any]:
        values = list(row)
        for place, encode in self._encoders:
            values[place] = encode(values[place])
        return values

    def _get_sql(self) -> str:
        kind = type(database.obj)
        if kind not in self._texts:
            self._texts[kind] = self._build_sql()
        return self._texts[kind]

    @abstractmethod
    def _build_sql(self) -> str:
        """Return the statement in the dialect of the process's database."""

    @property
    def _table(self) -> str:
        return _quote(self._fields[0].model._meta.table_name)

    def _names(self) -> list[str]:
        return [_quote(field.column_name) for field in self._fields]

    def _pair_values(self) -> list[str]:
        return [f"{name} = {database.param}" for name in self._names()]


class PreparedUpdate(PreparedStatement):
    """Sets the fields of `changes` in the row whose fields of `where` have the values given."""

    def __init__(self, changes: Sequence[peewee.Field], where: Sequence[peewee.Field]) -> None:
        super().__init__(*changes, *where)
        self._count = len(changes)

    def _build_sql(self) -> str:
        changes, where = self._pair_values()[: self._count], self._pair_values()[self._count :]
        return f"UPDATE {self._table} SET {', '.join(changes)} WHERE {' AND '.join(where)}"  # noqa: S608


class PreparedSelect(PreparedStatement):
    """Reads columns of rows by their primary key; the values are those of Python."""

    def __init__(self, *fields: peewee.Field) -> None:
        super().__init__(*fields)
        #: A value of the type given needs no reading.
        self._readers: list[tuple[str, type | None, Callable[[Any], Any]]] = [
            (field.name, _find_plain_type(field), field.python_value) for field in fields
        ]

    def find(self, keys: Sequence[Any]) -> list[dict[str, Any]]:
        """Return the columns, by their names, of those rows that exist, in any order."""
        return [self.read(stored) for stored in self.find_stored(keys)]

    def find_stored(self, keys: Sequence[Any]) -> list[Sequence[Any]]:
        """Return the columns as the database has them; `read` and `name_columns` take them."""
        if supports_bulk_writes():
            return self._fetch(self._get_sql(), [list(keys)])
        return [row for some in split(keys) for row in self._fetch_some(some)]

    def read(self, stored: Sequence[Any], but: str = "") -> dict[str, Any]:
        """Return the values of a row by the names of its columns, without one of them."""
        return {
            name: value if value is None or type(value) is plain else read(value)
            for (name, plain, read), value in zip(self._readers, stored, strict=True)
            if name != but
        }

    def name_columns(self, stored: Sequence[Any]) -> dict[str, Any]:
        """Return the values of a row as the database has them, by the names of its columns."""
        return {reader[0]: value for reader, value in zip(self._readers, stored, strict=True)}

    def _fetch_some(self, keys: Sequence[Any]) -> list[Sequence[Any]]:
        """Read rows by a list of keys that is filled up, so that few texts have to be prepared."""
        count = min(1 << (len(keys) - 1).bit_length(), _MAX_VALUES)
        marks = ", ".join([database.param] * count)
        return self._fetch(
            f"{self._get_sql()} ({marks})", [*keys, *[keys[-1]] * (count - len(keys))]
        )

    def _fetch(self, sql: str, values: Sequence[Any]) -> list[Sequence[Any]]:
        found: list[Sequence[Any]] = database.execute_sql(sql, values).fetchall()
        return found

    def _build_sql(self) -> str:
        key = _quote(self._fields[0].model._meta.primary_key.column_name)
        is_wanted = f"= ANY({database.param})" if supports_bulk_writes() else "IN"
        return f"SELECT {', '.join(self._names())} FROM {self._table} WHERE {key} {is_wanted}"  # noqa: S608


_by_key: Final[dict[type[Table], PreparedSelect]] = {}


def find_by_key(table: type[T], key: Any) -> T | None:
    """Return the row that has this primary key, as `get_or_none` does at several times the cost."""
    return next(iter(find_by_keys(table, [key])), None)


def find_by_keys(table: type[T], keys: Sequence[Any]) -> list[T]:
    """Return the rows that have these primary keys, in any order."""
    select = _by_key.get(table)
    if select is None:
        select = _by_key[table] = PreparedSelect(*table._meta.sorted_fields)
    return [build_row(table, values) for values in select.find(keys)]


def build_row(table: type[T], values: dict[str, Any]) -> T:
    """Return a row as it was read, with the columns that were read."""
    row = table(__no_default__=True)
    row.__data__ = values
    return row


class PreparedDelete(PreparedStatement):
    """Deletes the row whose fields have the values given."""

    def _build_sql(self) -> str:
        return f"DELETE FROM {self._table} WHERE {' AND '.join(self._pair_values())}"  # noqa: S608


class PreparedInsert(PreparedStatement):
    """Adds a row; with `ignore_conflicts` a row whose key exists stays as it is."""

    def __init__(self, *fields: peewee.Field, ignore_conflicts: bool = False) -> None:
        super().__init__(*fields)
        self._ignore_conflicts = ignore_conflicts

    def execute_many(self, rows: Iterable[Sequence[Any]]) -> None:
        """Write rows in the transaction that is open; PostgreSQL gets them in one COPY.

        That takes a third of the time of as many INSERTs, however these are sent.
        """
        if self._ignore_conflicts or not supports_bulk_writes():
            super().execute_many(rows)
        elif values := [self._encode(row) for row in rows]:
            self._copy(values)

    def _copy(self, rows: Iterable[Sequence[Any]]) -> None:
        sql = f"COPY {self._table} ({', '.join(self._names())}) FROM STDIN"
        with peewee.__exception_wrapper__, database.cursor().copy(sql) as copy:  # type: ignore[attr-defined]
            for row in rows:
                copy.write_row(row)

    def _build_sql(self) -> str:
        marks = ", ".join(database.param for _ in self._fields)
        is_mysql = isinstance(database.obj, peewee.MySQLDatabase)
        verb = "INSERT IGNORE" if is_mysql and self._ignore_conflicts else "INSERT"
        ending = " ON CONFLICT DO NOTHING" if self._ignore_conflicts and not is_mysql else ""
        return f"{verb} INTO {self._table} ({', '.join(self._names())}) VALUES ({marks}){ending}"


def split(values: Sequence[str]) -> Iterable[Sequence[str]]:
    """Yield values in parts that every database takes in one statement."""
    for start in range(0, len(values), _MAX_VALUES):
        yield values[start : start + _MAX_VALUES]


def is_one_of(field: peewee.Field, values: Sequence[str]) -> peewee.ColumnBase:
    """Return the condition that a column of the one table that is read has one of the values.

    For PostgreSQL they are one parameter: Peewee takes long to write hundreds.
    """
    if supports_bulk_writes():
        return peewee.SQL(f"{_quote(field.column_name)} = ANY(%s)", [list(values)])
    condition: peewee.Expression = field.in_(list(values))
    return condition


def supports_bulk_writes() -> bool:
    """Tell whether the process's database writes many rows of several tables in one statement."""
    return isinstance(database.obj, peewee.PostgresqlDatabase)


def _find_plain_type(field: peewee.Field) -> type | None:
    """Return the type of the values that a column stores as they are; None where it has none."""
    return bytes if isinstance(field, peewee.BlobField) else _PLAIN_TYPES.get(type(field))


def _quote(name: str) -> str:
    mark = database.quote[0]
    return f"{mark}{name}{mark}"
