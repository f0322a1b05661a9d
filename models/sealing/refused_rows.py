"""Refused rows: lists them for an operator, and signs one that the operator accepts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from models.db.database import Table, hold_connection, transaction
from models.db.fields import primary_key_of
from models.sealing.resealing import list_sealed_tables
from models.sealing.row_macs import Authenticated

_BATCH: Final = 500


def list_refused_rows() -> Iterator[Table]:
    """Yield each row whose MAC does not hold; no lock is held, and nothing is changed."""
    for table in _list_authenticated_tables():
        key, last = table._meta.primary_key, None
        while rows := _read(table, key, last):
            yield from (row for row in rows if not row.is_authentic)
            last = primary_key_of(rows[-1])


def accept_row(table_name: str, key: str) -> bool:
    """Sign a row as it is now; False if there is none of that key. The operator has seen it."""
    tables = {table._meta.table_name: table for table in _list_authenticated_tables()}
    if table_name not in tables:
        return False
    table: Any = tables[table_name]
    is_row = table._meta.primary_key == key
    with transaction():
        row = table.get_or_none(is_row)
        if row is None:
            return False
        macs = {mac.name: mac.sign(row.__data__) for mac in row.required_macs()}
        table.update(macs).where(is_row).execute()
    return True


def _list_authenticated_tables() -> list[Any]:
    return [table for table in list_sealed_tables() if issubclass(table, Authenticated)]


def _read(table: Any, key: Any, last: Any) -> list[Any]:
    query = table.select().order_by(key).limit(_BATCH)
    if table._meta.table_name == "events":
        # Only those that remain to be delivered have a MAC.
        query = query.where(table.deliver_at.is_null(False))
    with hold_connection():
        return list(query if last is None else query.where(key > last))
