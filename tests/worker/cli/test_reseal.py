"""`reseal`: every stored secret is sealed anew, and what stands in the way is named."""

from __future__ import annotations

from typing import Final

import peewee
import pytest

from catfeeder.sealing import DATABASE_LABEL, KeyRing
from tests.conftest import OTHER_SECRET_KEY, SECRET_KEY
from tests.worker.cli.conftest import Command

OLD, NEW = SECRET_KEY, OTHER_SECRET_KEY
FOREIGN = "a-foreign-key-that-guards-nothing-but-tests"
WEAK, CONTEXT = "changeme" * 4, "user_oauth_connection:p7:client_secret"
_ROWS: Final = 250


@pytest.fixture(autouse=True)
def begun(typed: Command, database_url: str) -> None:
    """Begin the database with the old SECRET_KEY."""
    assert typed("migrate", SECRET_KEY=OLD).returncode == 0
    store_providers(database_url)


def store_providers(database_url: str) -> None:
    """Store secrets of many providers, as the service does that has the old SECRET_KEY."""
    sealer = KeyRing([OLD]).sealer(DATABASE_LABEL)
    rows = [
        (f"p{number}", sealer.seal(b"x", f"user_oauth_connection:p{number}:client_secret"))
        for number in range(_ROWS)
    ]
    sql = (
        "INSERT INTO user_oauth_connection (name, client_secret, metadata, created_at, updated_at) "
        "VALUES (?, ?, '{}', 0, 0)"
    )
    with database(database_url) as connected:
        for row in rows:
            connected.execute_sql(sql, row)


def change_key(typed: Command) -> None:
    """Start a version of the service that has the new SECRET_KEY, and knows the old one."""
    began = typed("migrate", SECRET_KEY=NEW, SECRET_KEY_PREVIOUS=OLD)
    assert began.returncode == 0


def database(database_url: str) -> peewee.SqliteDatabase:
    return peewee.SqliteDatabase(database_url.removeprefix("sqlite:///"))


def test_progress_and_the_next_step_are_printed(typed: Command) -> None:
    change_key(typed)

    ended = typed("reseal", SECRET_KEY=NEW, SECRET_KEY_PREVIOUS=OLD)

    assert (ended.returncode, ended.stderr) == (0, "")
    # The row of the default app is one more.
    _, second, *_, last, done, then = ended.stdout.splitlines()
    assert (second, last) == ("101 of 251 rows", "251 of 251 rows")
    assert done == "Everything stored is sealed with SECRET_KEY."
    assert then.startswith("SECRET_KEY_PREVIOUS can be dropped an hour after the last process")

    # And it is true
    alone = typed("reseal", SECRET_KEY=NEW)
    assert alone.stdout.splitlines() == ["0 of 0 rows", done]
    assert "SECRET_KEY" in typed("migrate", SECRET_KEY=OLD).stderr


def test_a_key_that_no_process_has_yet_is_refused(typed: Command) -> None:
    # Given a new SECRET_KEY in .env, and no process that was restarted
    ended = typed("reseal", SECRET_KEY=NEW, SECRET_KEY_PREVIOUS=OLD)

    # Then nothing is sealed with what the running service could not open
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == (
        "No process of the service was started with this SECRET_KEY yet: restart them first.\n"
    )
    assert typed("reseal", SECRET_KEY=OLD).returncode == 0


def test_a_secret_that_no_key_opens_is_named(typed: Command, database_url: str) -> None:
    # Given a secret that came from the database of another service
    foreign = KeyRing([FOREIGN]).sealer(DATABASE_LABEL)
    sealed = foreign.seal(b"x", CONTEXT)
    with database(database_url) as connected:
        connected.execute_sql(
            "UPDATE user_oauth_connection SET client_secret = ? WHERE name = 'p7'", (sealed,)
        )

    # When everything is sealed anew
    change_key(typed)
    ended = typed("reseal", SECRET_KEY=NEW, SECRET_KEY_PREVIOUS=OLD)

    # Then it is named, and the old key can be dropped all the same
    assert ended.returncode == 0
    assert ended.stderr == (
        "No key opens a secret of user_oauth_connection p7: it is damaged, or foreign.\n"
    )
    assert "Everything else is sealed with SECRET_KEY." in ended.stdout
    assert typed("reseal", SECRET_KEY=NEW).returncode == 0


def test_a_former_key_that_can_be_guessed_is_left_behind(typed: Command, database_url: str) -> None:
    # Given a service that was begun with a SECRET_KEY that can be guessed
    keys = {"SECRET_KEY": NEW, "SECRET_KEY_PREVIOUS": f"{OLD},{WEAK}"}
    sealed = KeyRing([WEAK]).sealer(DATABASE_LABEL).seal(b"x", CONTEXT)
    with database(database_url) as connected:
        connected.execute_sql(
            "UPDATE user_oauth_connection SET client_secret = ? WHERE name = 'p7'", (sealed,)
        )

    # Then no process goes on with it, and the two commands that end it do
    refused = typed("queue-key", **keys)
    assert refused.stderr.startswith("SECRET_KEY_PREVIOUS lists a key of too little variety")
    assert refused.returncode == 1
    assert WEAK not in refused.stderr
    assert typed("migrate", **keys).returncode == 0
    assert typed("reseal", **keys).returncode == 0
    with database(database_url) as connected:
        rows = connected.execute_sql(
            "SELECT client_secret FROM user_oauth_connection WHERE name = 'p7'"
        )
        assert KeyRing([NEW]).sealer(DATABASE_LABEL).open(rows.fetchone()[0], CONTEXT) == b"x"
