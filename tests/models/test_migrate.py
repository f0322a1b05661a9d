"""Tests of migrations: applied once, by one process, and they make the tables that are used."""

from __future__ import annotations

import importlib
import pkgutil
import shutil
from pathlib import Path

import pytest

import models
from config import Settings
from models.db.database import Table, hold_connection
from models.db.database import database as the_database
from models.db.errors import DatabaseUnreachable, SchemaTooOld
from models.migrate import ensure_tables, join_service, migrate
from models.oauth.email_lookup import INDEX_NAME, MYSQL_COLUMN
from tests.models.races import race_processes
from tests.models.times import NOW

MIGRATIONS = Path(models.__file__ or "").parent / "migrations"
ALL_NAMES = sorted(path.stem for path in MIGRATIONS.glob("[0-9]*.py"))


def all_tables() -> list[type[Table]]:
    """Import every module of the tables, and return the tables."""
    for module in pkgutil.walk_packages(models.__path__, "models."):
        if not module.name.startswith("models.migrations."):
            importlib.import_module(module.name)
    ours = [table for table in Table.__subclasses__() if table.__module__.startswith("models.")]
    return sorted(ours, key=lambda table: table.__name__)


@pytest.mark.usefixtures("empty")
def test_migrations_are_applied_once() -> None:
    assert migrate(NOW) == ALL_NAMES
    assert migrate(NOW) == []


@pytest.mark.usefixtures("empty")
def test_the_schema_is_checked_at_start() -> None:
    with pytest.raises(SchemaTooOld, match="python -m worker migrate"):
        join_service(NOW)

    migrate(NOW)

    join_service(NOW)


@pytest.mark.usefixtures("empty")
def test_a_program_makes_the_tables_of_a_new_database_alone() -> None:
    # Given a new database, when a program asks for its tables, then they are there
    ensure_tables(NOW)
    join_service(NOW)
    assert migrate(NOW) == []


@pytest.mark.usefixtures("empty")
def test_a_program_leaves_the_tables_of_an_earlier_release_alone(tmp_path: Path) -> None:
    # Given the first migration of a service that may be running
    directory = tmp_path / "migrations"
    directory.mkdir()
    shutil.copy(MIGRATIONS / f"{ALL_NAMES[0]}.py", directory)
    migrate(NOW, directory)
    # When a program asks for its tables, then it hears the remedy
    with pytest.raises(SchemaTooOld, match="python -m worker migrate"):
        ensure_tables(NOW)
    assert migrate(NOW) == ALL_NAMES[1:]


def migrate_in_turn(times: int) -> list[list[str]]:
    return [migrate(NOW) for _ in range(times)]


def test_processes_that_migrate_at_once_do_not_get_in_each_others_way(empty: Settings) -> None:
    runs = race_processes(4, empty, migrate_in_turn, 2)

    applied = [names for run in runs for names in run]
    assert sorted(applied) == [[]] * 7 + [ALL_NAMES]
    join_service(NOW)


@pytest.mark.parametrize("table", all_tables(), ids=lambda table: table.__name__)
@pytest.mark.usefixtures("database")
def test_the_migrations_make_the_tables_that_we_use(table: type[Table]) -> None:
    # Given the columns and indexes that the migrations have made
    name = table._meta.table_name
    with hold_connection():
        columns = [c for c in the_database.get_columns(name) if c.name != MYSQL_COLUMN]
        made = {c.name: (c.null, c.primary_key) for c in columns}
        # Peewee cannot describe an index over an expression.
        listed = [i for i in the_database.get_indexes(name) if i.name != INDEX_NAME]
        indexes = {(tuple(i.columns), i.unique) for i in listed}

    # Then they are those that the table describes
    fields = table._meta.sorted_fields
    assert made == {field.column_name: (field.null, field.primary_key) for field in fields}
    of_the_key = {((field.column_name,), True) for field in fields if field.primary_key}
    assert indexes - of_the_key == described_indexes(table)


def described_indexes(table: type[Table]) -> set[tuple[tuple[str, ...], bool]]:
    """Return the columns of each index that a table describes, and whether it is unique."""
    of_columns = {
        ((field.column_name,), bool(field.unique))
        for field in table._meta.sorted_fields
        if (field.index or field.unique) and not field.primary_key
    }
    return of_columns | {(tuple(columns), unique) for columns, unique in table._meta.indexes}


def test_a_migration_that_fails_leaves_nothing_behind(
    empty: Settings, database_kind: str, tmp_path: Path
) -> None:
    # Given a last migration that fails in its midst
    directory = tmp_path / "migrations"
    shutil.copytree(MIGRATIONS, directory)
    (directory / "9999_broken.py").write_text(
        "def up(migrator, db):\n"
        "    db.execute_sql('CREATE TABLE half_made (n INTEGER)')\n"
        "    db.execute_sql('CREATE TABLE half_made (n INTEGER)')\n"
    )

    # When it is applied
    with pytest.raises(DatabaseUnreachable, match="half_made") as failure:
        migrate(NOW, directory)

    # Then one sentence says why, nothing of it is left, and the next try is free to succeed
    assert "\n" not in str(failure.value)
    with hold_connection():
        # MariaDB takes back no statement that changes a table.
        assert the_database.table_exists("half_made") == (database_kind == "mariadb")
    (directory / "9999_broken.py").write_text("def up(migrator, db):\n    pass\n")
    assert "9999_broken" in migrate(NOW, directory)
    assert race_processes(1, empty, migrate_in_turn, 1) == [[[]]]
