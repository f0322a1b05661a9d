"""`migrate` takes an earlier shutdown back, where no supervisor does."""

from __future__ import annotations

import peewee
import pytest

from tests.stack.directory import ServiceDirectory

SECRET_KEY = "a-secret-key-of-more-than-32-characters"


def generations(directory: ServiceDirectory) -> tuple[int, int]:
    """Return the latest generation, and the latest that is to shut down."""
    database = peewee.SqliteDatabase(str(directory.path / "var" / "catfeeder.sqlite3"))
    with database:
        found: tuple[int, int] = database.execute_sql(
            "SELECT generation, stopped_generation FROM server"
        ).fetchone()
    return found


@pytest.mark.parametrize(("stopped", "after"), [(3, (4, 3)), (2, (3, 2))])
def test_an_earlier_shutdown_is_taken_back_and_a_running_service_goes_on(
    directory: ServiceDirectory, stopped: int, after: tuple[int, int]
) -> None:
    assert directory.worker("migrate", SECRET_KEY=SECRET_KEY).returncode == 0
    database = peewee.SqliteDatabase(str(directory.path / "var" / "catfeeder.sqlite3"))
    with database:
        database.execute_sql("INSERT INTO server VALUES (1, 3, ?, 0)", (stopped,))
    assert directory.worker("migrate", SECRET_KEY=SECRET_KEY).returncode == 0
    assert generations(directory) == after
