"""`migrate` takes an earlier shutdown back, where no supervisor does."""

from __future__ import annotations

import peewee
import pytest

from tests.worker.cli.conftest import Command


@pytest.mark.parametrize(
    ("stopped", "after", "said"),
    [
        (3, (4, 3), "The shutdown of boot 3 is taken back: boot 4 begins"),
        (2, (3, 2), "Boot 3 goes on: no shutdown was to be taken back."),
    ],
    ids=["stopped", "running"],
)
def test_an_earlier_shutdown_is_taken_back_and_a_running_service_goes_on(
    typed: Command, database_url: str, stopped: int, after: tuple[int, int], said: str
) -> None:
    database = peewee.SqliteDatabase(database_url.removeprefix("sqlite:///"))
    generations = "SELECT generation, stopped_generation FROM server"
    # Given a new database, whose first boot begins, as it says
    first = typed("migrate")
    assert first.returncode == 0
    assert "\n0001_" in first.stdout
    assert "Boot 1 begins" in first.stdout
    with database:
        assert database.execute_sql(generations).fetchone() == (1, 0)
        sql = "UPDATE server SET generation = 3, stopped_generation = ?"
        database.execute_sql(sql, (stopped,))

    # When it is migrated again
    ended = typed("migrate")

    # Then it says which database it is, and what it took back
    assert ended.returncode == 0
    assert "\nThe database is up to date.\n" in ended.stdout
    assert ended.stdout.startswith(f"The database is {database_url}.\n")
    assert said in ended.stdout
    with database:
        assert database.execute_sql(generations).fetchone() == after
