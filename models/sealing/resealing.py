"""Key rotation: seals and authenticates what is stored with the current key, in service."""

from __future__ import annotations

import functools
import importlib
import operator
import pkgutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import peewee

from models.db.database import Table, database, hold_connection, transaction
from models.db.fields import SealedField, primary_key_of
from models.sealing.row_macs import Authenticated, MacField

_PACKAGE: Final = "models."
#: Migrations declare no tables, and their names are no identifiers.
_MIGRATIONS: Final = f"{_PACKAGE}migrations"


@dataclass(frozen=True, slots=True)
class ResealedBatch:
    """The outcome for some rows that are sealed with an earlier key.

    `busy` rows were locked or changed meanwhile, and remain for another run. `broken` names the
    rows with a secret that no key of this process opens.
    """

    done: int
    busy: int
    broken: tuple[str, ...]


def list_sealed_tables() -> list[type[Table]]:
    """Return every table of the service with a sealed column, imported so far or not."""
    for module in pkgutil.walk_packages([str(Path(__file__).parents[1])], _PACKAGE):
        if not module.name.startswith(_MIGRATIONS):
            importlib.import_module(module.name)
    ours = [table for table in Table.__subclasses__() if table.__module__.startswith(_PACKAGE)]
    return sorted(filter(_sealed_fields, ours), key=lambda table: str(table._meta.table_name))


def _sealed_fields(table: type[Table]) -> list[SealedField | MacField]:
    return [it for it in table._meta.sorted_fields if isinstance(it, SealedField | MacField)]


def count_outdated() -> int:
    """Return how many rows hold a secret that is not sealed with the current key."""
    return sum(table.select().where(_is_outdated(table)).count() for table in list_sealed_tables())


def reseal_all(batch: int) -> Iterator[ResealedBatch]:
    """Go through all tables once, `batch` rows at a time; no lock is held in between."""
    for table in list_sealed_tables():
        last: Any = None
        while rows := _list_outdated(table, last, batch):
            yield reseal_rows(rows)
            last = rows[-1]


def _list_outdated(table: type[Table], last: Table | None, limit: int) -> list[Table]:
    key = table._meta.primary_key
    query = table.select().where(_is_outdated(table))
    if last is not None:
        # Rows that were busy or broken a moment ago must not block the rest.
        query = query.where(key > primary_key_of(last))
    with hold_connection():
        return list(query.order_by(key).limit(limit))


def _is_outdated(table: type[Table]) -> peewee.Expression:
    conditions = [field.select_outdated() for field in _sealed_fields(table)]
    return functools.reduce(operator.or_, conditions)


def reseal_rows(rows: Sequence[Table]) -> ResealedBatch:
    """Reseal the secrets that these rows held when they were read, unless they changed since."""
    # Sealing comes before the transaction: on SQLite all other writers wait for its end.
    resealed = [(row, _reseal(row)) for row in rows]
    changed = [(row, changes) for row, changes in resealed if changes]
    with transaction():
        free = _lock_free([row for row, _ in changed])
        done = sum(primary_key_of(row) in free and _write(row, new) for row, new in changed)
    broken = [_name(row) for row, changes in resealed if len(changes) < len(_outdated(row))]
    return ResealedBatch(done, len(changed) - done, tuple(broken))


def _reseal(row: Table) -> dict[str, bytes]:
    changes = {field.name: field.reseal(row) for field in _outdated(row)}
    return {name: sealed for name, sealed in changes.items() if sealed is not None}


def _outdated(row: Table) -> list[SealedField | MacField]:
    return [field for field in _sealed_fields(type(row)) if field.is_outdated(row)]


def _name(row: Table) -> str:
    return f"{row._meta.table_name} {primary_key_of(row)}"


def _lock_free(rows: Sequence[Table]) -> set[Any]:
    """Lock the rows that no other transaction has locked, and return their keys."""
    keys = [primary_key_of(row) for row in rows]
    if not database.for_update or not rows:
        return set(keys)
    # A transaction that never waits while it holds a lock takes part in no deadlock.
    table = type(rows[0])
    key: Any = table._meta.primary_key
    locked = table.select(key).where(key.in_(keys)).for_update(skip_locked=True)
    return {primary_key_of(row) for row in locked}


def _write(row: Table, changes: dict[str, bytes]) -> bool:
    """Replace just the bytes that were read: a sealed value is never the same twice."""
    table = type(row)
    is_same = [table._meta.fields[name] == getattr(row, name) for name in changes]
    is_row = table._meta.primary_key == primary_key_of(row)
    update = table.update_sealed if issubclass(table, Authenticated) else table.update
    return bool(update(changes).where(is_row, *is_same).execute())
