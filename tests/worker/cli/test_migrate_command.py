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


@pytest.mark.parametrize(
    ("stopped", "after", "said"),
    [
        (3, (4, 3), "The shutdown of boot 3 is taken back: boot 4 begins"),
        (2, (3, 2), "Boot 3 goes on: no shutdown was to be taken back."),
    ],
)
def test_an_earlier_shutdown_is_taken_back_and_a_running_service_goes_on(
    directory: ServiceDirectory, stopped: int, after: tuple[int, int], said: str
) -> None:
    # Given a new database, whose first boot begins, as it says
    first = directory.worker("migrate", SECRET_KEY=SECRET_KEY)
    assert first.returncode == 0
    assert "Boot 1 begins" in first.stdout
    assert generations(directory) == (1, 0)
    database = peewee.SqliteDatabase(str(directory.path / "var" / "catfeeder.sqlite3"))
    with database:
        sql = "UPDATE server SET generation = 3, stopped_generation = ?"
        database.execute_sql(sql, (stopped,))

    # When it is migrated again
    ended = directory.worker("migrate", SECRET_KEY=SECRET_KEY)

    # Then it says which database it is, and what it took back
    assert ended.returncode == 0
    assert generations(directory) == after
    path = directory.path / "var" / "catfeeder.sqlite3"
    assert ended.stdout.startswith(f"The database is sqlite:///{path}.\n")
    assert said in ended.stdout
