"""`python -m worker migrate`, which opens a service again that has no supervisor to do so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import peewee
import pytest

from tests.worker.service_directory import ServiceDirectory, standing_in

SECRET_KEY = "a-secret-key-of-more-than-32-characters"


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[ServiceDirectory]:
    """A folder with an empty database."""
    with standing_in(tmp_path) as directory:
        assert directory.worker("migrate", SECRET_KEY=SECRET_KEY).returncode == 0
        yield directory


def generations(directory: ServiceDirectory) -> tuple[int, int]:
    """Return the latest generation, and the latest that was told to stop."""
    database = peewee.SqliteDatabase(str(directory.path / "var" / "catfeeder.sqlite3"))
    with database:
        found: tuple[int, int] = database.execute_sql(
            "SELECT generation, stopped_generation FROM server"
        ).fetchone()
    return found


@pytest.mark.parametrize(("stopped", "after"), [(3, (4, 3)), (2, (3, 2))])
def test_a_shutdown_of_before_is_taken_back_and_what_runs_is_left_alone(
    directory: ServiceDirectory, stopped: int, after: tuple[int, int]
) -> None:
    database = peewee.SqliteDatabase(str(directory.path / "var" / "catfeeder.sqlite3"))
    with database:
        database.execute_sql("INSERT INTO server VALUES (1, 3, ?, 0)", (stopped,))
    assert directory.worker("migrate", SECRET_KEY=SECRET_KEY).returncode == 0
    assert generations(directory) == after
