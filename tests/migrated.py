"""Databases that have all their tables already, so that no test waits for the migrations."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psycopg
from psycopg import sql

from tests.servers import PostgresServer

#: What carries out the migrations on the database of a DATABASE_URL, and leaves it closed.
Migrate = Callable[[str], None]
_TABLES: Final = """
    SELECT tablename FROM pg_tables
    WHERE schemaname = 'public' AND tablename <> 'schema_migration'
"""
_RESTART_SEQUENCES: Final = """
    SELECT setval(format('%I.%I', schemaname, sequencename)::regclass, start_value, false)
    FROM pg_sequences WHERE schemaname = 'public'
"""


class MigratedSqlite:
    """A SQLite database with all tables, of which each test has a copy."""

    def __init__(self, directory: Path, migrate: Migrate) -> None:
        self._path = directory / "migrated.sqlite3"
        migrate(f"sqlite:///{self._path}")

    def copy_to(self, path: Path) -> None:
        """Copy it."""
        shutil.copyfile(self._path, path)


class MigratedPostgres:
    """Databases of a PostgreSQL as the migrations leave them, each lent to one test at a time."""

    def __init__(self, server: PostgresServer, migrate: Migrate) -> None:
        self._server = server
        self._migrate = migrate
        self._tables: list[str] = []
        #: What the migrations leave in tables, by name.
        self._rows: dict[str, list[tuple[object, ...]]] = {}
        self._spare: list[str] = []

    @contextmanager
    def database(self) -> Iterator[str]:
        """Lend one for the block and yield its DATABASE_URL."""
        url = self._server.renamed(self._spare.pop() if self._spare else self._new_database())
        yield url
        self._server.disconnect_all(url)
        try:
            self._empty(url)
        except psycopg.errors.UndefinedTable:
            # A test has broken it on purpose.
            self._server.drop(url)
        else:
            self._spare.append(url)

    def _new_database(self) -> str:
        url = self._server.new_database()
        self._migrate(url)
        with psycopg.connect(url) as connection:
            self._tables = [name for (name,) in connection.execute(_TABLES)]
            everything = sql.SQL("SELECT * FROM {}")
            for name in self._tables:
                self._rows[name] = connection.execute(
                    everything.format(sql.Identifier(name))
                ).fetchall()
        self._empty(url)
        return url

    def _empty(self, url: str) -> None:
        """Delete all rows: TRUNCATE would make new files, which takes ten times as long."""
        delete = [sql.SQL("DELETE FROM {}").format(sql.Identifier(name)) for name in self._tables]
        with psycopg.connect(url) as connection:
            connection.execute(sql.SQL(";").join(delete))
            connection.execute(_RESTART_SEQUENCES)
            for name, rows in self._rows.items():
                for row in rows:
                    marks = sql.SQL(", ").join([sql.Placeholder()] * len(row))
                    insert = sql.SQL("INSERT INTO {} VALUES ({})")
                    connection.execute(insert.format(sql.Identifier(name), marks), row)
