"""Tests that a database of the first version comes through every migration with all it holds."""

from __future__ import annotations

import dataclasses
import json
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import peewee
import pytest
from playhouse.migrations import Runner

import models
from catfeeder.sealing import Secret
from config import Settings
from models.crons import claim_tick
from models.db.database import database as the_database
from models.db.database import hold_connection
from models.db.errors import ForeignSecretKey
from models.migrate import join_service, lock_migrations, migrate
from models.oauth.connections import TAB_CONNECTIONS, ConnectionStatus
from models.oauth.providers import TAB_USER_OAUTH_CONNECTION
from models.oauth.sign_ins import TAB_VERIFICATION
from models.renewal.sweeps import claim_due
from models.sealing.resealing import reseal_all
from models.server import begin_boot, current_generation
from tests.models.first_version import CONNECTION_ID, STATE, fill_first_tables
from tests.models.reopening import reopened
from tests.models.rotation import rotated
from tests.models.rows import grant, stored_connection
from tests.models.times import MINUTE, NOW, SECOND

_DIRECTORY: Final = Path(models.__file__ or "").parent / "migrations"
NAMES: Final = sorted(path.stem for path in _DIRECTORY.glob("[0-9]*.py"))


def migrate_up_to(name: str) -> None:
    """Bring the tables to where the version of that migration had them."""
    with hold_connection(), lock_migrations():
        Runner(the_database.obj, str(_DIRECTORY)).up(name)


@pytest.fixture(params=["at once", "version by version"])
def upgraded(request: pytest.FixtureRequest, empty: Settings) -> Settings:
    """A database of the first version, brought to ours, by way of each one between or straight."""
    migrate_up_to(NAMES[0])
    fill_first_tables(empty)
    later = NAMES[1:]
    if request.param == "version by version":
        for name in later:
            migrate_up_to(name)
        later = []
    assert migrate(NOW) == later
    return empty


@pytest.mark.usefixtures("upgraded")
def test_connections_keep_their_tokens_and_fall_due() -> None:
    # Given a connection of before the upgrade
    with hold_connection():
        row = TAB_CONNECTIONS.find(CONNECTION_ID)
        assert row is not None

        # Then it holds what it held
        assert TAB_CONNECTIONS.access_token.open(row) == Secret("the access_token")
        assert TAB_CONNECTIONS.refresh_token.open(row) == Secret("the refresh_token")
        assert row.profile == {"subject": "alice", "name": "Alïce"}
        assert (row.provider, row.subject, row.scope) == ("house", "user-1", "openid email")
        assert (row.status, row.failures) == (ConnectionStatus.RENEWAL_FAILING, 2)
        assert row.expires_at == NOW + 60 * MINUTE
        # And is renewed when it is due
        assert claim_due("house", NOW - SECOND, NOW, 10) == []
        [lease] = claim_due("house", NOW, NOW + MINUTE, 10)
        assert (lease.connection_id, lease.version) == (CONNECTION_ID, 3)
        # And the account that signs in again is the same
        again = stored_connection("alice", provider="house", subject="user-1", grant=grant("new"))
        assert again.id == CONNECTION_ID


@pytest.mark.usefixtures("upgraded")
def test_a_sign_in_that_had_begun_is_finished() -> None:
    state = Secret(STATE)
    with hold_connection():
        assert TAB_VERIFICATION.claim(state, NOW)
        row = TAB_VERIFICATION.find(state)
    assert row is not None
    assert TAB_VERIFICATION.code_verifier.open(row) == Secret("the code_verifier")
    assert TAB_VERIFICATION.nonce.open(row) == Secret("the nonce")


@pytest.mark.usefixtures("upgraded")
def test_providers_keep_their_settings_and_can_be_changed() -> None:
    with hold_connection():
        row = TAB_USER_OAUTH_CONNECTION.find("house")
        assert row is not None
        assert TAB_USER_OAUTH_CONNECTION.client_secret.open(row) == Secret("the client_secret")
        assert row.metadata == {"issuer": "https://id.example.com", "scopes": ["openid"]}
        assert row.is_authentic
        TAB_USER_OAUTH_CONNECTION.get_by_id("house").store_discovery({"issuer": "x"}, NOW)
        assert TAB_USER_OAUTH_CONNECTION.erase("house")


def test_what_an_operator_has_set_about_dead_grants_is_kept(empty: Settings) -> None:
    # Given a provider of before there were kinds of failures
    migrate_up_to(NAMES[0])
    fill_first_tables(empty)
    migrate_up_to(next(name for name in NAMES if name.startswith("0007")))
    metadata = {"dead_grant_errors": ["gone", "It is over."], "scopes": ["a"]}
    with hold_connection():
        update = f"UPDATE user_oauth_connection SET metadata = {the_database.param}"  # noqa: S608
        the_database.execute_sql(update, (json.dumps(metadata),))

    migrate(NOW)

    with hold_connection():
        row = TAB_USER_OAUTH_CONNECTION.find("house")
    assert row is not None
    kinds = {"gone": "grant_dead", "It is over.": "grant_dead"}
    assert row.metadata == {"failure_kinds": kinds, "scopes": ["a"]}


_NO_MEANS: Final = "The token expires and the provider gave no means to renew it; sign in again."


@pytest.mark.parametrize(
    ("before", "status", "is_due"),
    [
        # One with a refresh token was never to be renewed, since its end was not stated
        ({"status": "active", "expires_at": None, "renew_at": None}, "active", True),
        # One without the means was taken to be dead, though its token works, or has merely run out
        ({"refresh_token": None, "expires_at": None, "reason": _NO_MEANS}, "active", False),
        ({"refresh_token": None, "expires_at": 2**42, "reason": _NO_MEANS}, "active", False),
        ({"refresh_token": None, "expires_at": 1, "reason": _NO_MEANS}, "ended", False),
        # And one whose user is needed indeed
        ({"expires_at": None, "reason": "grant_dead: x"}, "reauthorization_required", False),
    ],
)
def test_connections_that_were_forgotten_or_taken_for_dead_come_back(
    before: dict[str, Any], status: str, *, is_due: bool, empty: Settings
) -> None:
    migrate_up_to(NAMES[0])
    fill_first_tables(empty)
    migrate_up_to(next(name for name in NAMES if name.startswith("0009")))
    columns = {"status": "reauthorization_required", "renew_at": None, **before}
    changes = ", ".join(f"{name} = {the_database.param}" for name in columns)
    with hold_connection():
        sql = f"UPDATE connections SET {changes}"  # noqa: S608
        the_database.execute_sql(sql, tuple(columns.values()))

    migrate(NOW)

    with hold_connection():
        row = TAB_CONNECTIONS.get_by_id(CONNECTION_ID)
    assert row.status == status
    assert (row.renew_at is not None and row.expires_at is None) == is_due
    if before.get("reason") == _NO_MEANS:
        assert row.reason is None
        assert is_due or row.renew_at == (row.expires_at if status == "active" else None)


@pytest.mark.usefixtures("upgraded")
def test_schedule_and_boots_go_on_where_they_were() -> None:
    with hold_connection():
        assert not claim_tick("renew_oaths", timedelta(hours=1), NOW + 59 * MINUTE)
        assert claim_tick("renew_oaths", timedelta(hours=1), NOW + 60 * MINUTE)
        assert current_generation() == 7
        assert begin_boot(NOW) == 8


def test_the_keys_of_the_first_version_hold(upgraded: Settings) -> None:
    # Given the upgraded database
    join_service(NOW)

    # Then another SECRET_KEY is refused, and one that follows on it seals everything anew
    other = dataclasses.replace(upgraded, secret_key="another-secret-key-that-is-long-enough")
    with reopened(other), pytest.raises(ForeignSecretKey):
        join_service(NOW)
    with reopened(rotated(upgraded)):
        assert sum(batch.done for batch in reseal_all(10)) == 4


def test_no_two_migrations_share_a_number() -> None:
    numbers = [int(name.partition("_")[0]) for name in NAMES]
    assert numbers == sorted(set(numbers))


# -- The release before, on the newest tables


def read_columns() -> dict[str, dict[str, str]]:
    """Return the type of each column, by table and name."""
    return {
        table: {column.name: column.data_type.lower() for column in the_database.get_columns(table)}
        for table in the_database.get_tables()
        if table not in ("schema_migration", "sqlite_sequence")
    }


def value_of(column_type: str, number: int) -> object:
    """Return what any column of a type takes; texts are the same in all, so that keys match."""
    if "bool" in column_type or column_type == "tinyint":
        return False
    if "int" in column_type:
        return number
    return b"" if column_type in ("blob", "bytea", "longblob") else str(number)


def write_rows(tables: dict[str, dict[str, str]], number: int) -> None:
    """Write a row to each table, with all its columns."""
    mark = the_database.quote[0]
    # Rows of `attempts` belong to one of `connections`.
    for table in sorted(tables, key=lambda name: (name == "attempts", name)):
        names = ", ".join(f"{mark}{column}{mark}" for column in tables[table])
        marks = ", ".join([the_database.param] * len(tables[table]))
        values = [value_of(kind, number) for kind in tables[table].values()]
        with hold_connection(), the_database.atomic():
            insert = f"INSERT INTO {table} ({names}) VALUES ({marks})"  # noqa: S608
            the_database.execute_sql(insert, values)


@pytest.mark.usefixtures("empty")
def test_what_each_earlier_release_writes_fits_the_newest_tables() -> None:
    # Given the tables as each release had them, and then the newest
    known = []
    for name in NAMES:
        migrate_up_to(name)
        with hold_connection():
            known.append(read_columns())
    # Then a process of any of them can write what it knows, to each of its tables
    for number, tables in enumerate(known, start=100):
        write_rows(tables, number)


@pytest.mark.usefixtures("empty")
def test_a_default_is_added_without_losing_a_row() -> None:
    # Given a connection with a renewal in its journal, of before the defaults
    migrate_up_to(next(name for name in reversed(NAMES) if name < "0014"))
    with hold_connection():
        tables = read_columns()
    write_rows({name: tables[name] for name in ("connections", "attempts")}, 1)
    # When they are added
    migrate(NOW)
    # Then both rows are there, and the file of SQLite is whole
    with hold_connection():
        assert the_database.execute_sql("SELECT COUNT(*) FROM attempts").fetchone() == (1,)
        if isinstance(the_database.obj, peewee.SqliteDatabase):
            assert the_database.execute_sql("PRAGMA integrity_check").fetchone() == ("ok",)
