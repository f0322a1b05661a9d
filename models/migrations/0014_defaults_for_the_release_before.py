"""Database defaults of two columns, so that a process of a release before them can still write."""

from __future__ import annotations

import re
from typing import Any, Final

import peewee

#: Table, column, and the default as SQLite, PostgreSQL and MySQL write it.
_DEFAULTS: Final = (
    ("connections", "missing_scope", "''", "''", "('')"),
    ("verification", "is_relayed", "0", "false", "0"),
)


def up(_migrator: Any, db: peewee.Database) -> None:
    """Add the defaults; no row changes."""
    for table, column, sqlite, postgresql, mysql in _DEFAULTS:
        if isinstance(db, peewee.SqliteDatabase):
            _set_default_of_sqlite(db, table, column, sqlite)
        else:
            default = mysql if isinstance(db, peewee.MySQLDatabase) else postgresql
            db.execute_sql(f"ALTER TABLE {table} ALTER COLUMN {column} SET DEFAULT {default}")


def _set_default_of_sqlite(db: peewee.Database, table: str, column: str, default: str) -> None:
    """Change the stored text of the table, as SQLite's ALTER TABLE page describes for a default.

    To build the table anew would delete its rows, and by a foreign key those of other tables.
    """
    find = "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?"
    [text] = db.execute_sql(find, (table,)).fetchone()
    pattern = rf'("{column}"[^,()]*?NOT NULL)(?! DEFAULT)'
    changed, count = re.subn(pattern, rf"\1 DEFAULT {default}", text)
    if count != 1:
        return
    [version] = db.execute_sql("PRAGMA schema_version").fetchone()
    db.execute_sql("PRAGMA writable_schema = ON")
    update = "UPDATE sqlite_master SET sql = ? WHERE type = 'table' AND name = ?"
    db.execute_sql(update, (changed, table))
    # Makes every connection read the tables anew.
    db.execute_sql(f"PRAGMA schema_version = {version + 1}")
    db.execute_sql("PRAGMA writable_schema = OFF")
