"""Tests that MariaDB keeps what the others keep, as they do; they run on all that are installed."""

from __future__ import annotations

import pytest

from catfeeder.sealing import Secret
from config import Settings
from models.db.database import build_database, hold_connection
from models.db.errors import DatabaseUnreachable
from models.db.mysql import open_mysql, parse_mysql_url
from models.oauth.connections import TAB_CONNECTIONS
from tests.conftest import SERVER_KINDS
from tests.mariadb import is_mariadb_installed
from tests.models.db.test_database import with_url
from tests.models.rows import grant, stored_connection


@pytest.mark.skipif(
    not is_mariadb_installed(),
    reason="MariaDB is tested on where it is installed: the server, and pymysql in .venv",
)
def test_where_mariadb_is_installed_it_is_tested_on(request: pytest.FixtureRequest) -> None:
    assert request.getfixturevalue("_mariadb_server").execute("SELECT 1") is None


@pytest.mark.usefixtures("database")
def test_accounts_are_distinguished_by_every_byte() -> None:
    # Given accounts whose names differ in case, in an accent, in a blank at the end
    names = ["ann", "Ann", "ánn", "ann ", "\uff41nn", "ann\t", ""]

    # When each signs in
    with hold_connection():
        ids = {stored_connection(name).id for name in names}

        # Then each has a connection of its own, also when it comes back
        assert len(ids) == len(names)
        assert {stored_connection(name).id for name in names} == ids


@pytest.mark.usefixtures("database")
def test_texts_keep_every_character_and_have_no_end() -> None:
    # Given more than 64 KB, in which stand characters beyond the basic plane
    profile = {"subject": "1", "name": "猫🐈" * 50_000, "quoted": "'\\\"%s`"}

    # When it is stored, with tokens as long
    with hold_connection():
        row = stored_connection(
            profile=profile, grant=grant("a" * 100_000, "r" * 100_000), subject="猫🐈"
        )

        # Then it comes back as it was
        row = TAB_CONNECTIONS.get_by_id(row.id)
    assert (row.profile, row.subject) == (profile, "猫🐈")
    assert TAB_CONNECTIONS.access_token.open(row) == Secret("a" * 100_000)


@pytest.mark.usefixtures("tables")
@pytest.mark.parametrize("database_kind", SERVER_KINDS)
def test_a_text_that_is_too_long_is_refused_and_not_cut_off() -> None:
    with pytest.raises(Exception, match=r"(?i)too long"), hold_connection():
        stored_connection("x" * 256)


@pytest.mark.usefixtures("database")
def test_a_row_that_was_found_counts_though_nothing_of_it_changed() -> None:
    with hold_connection():
        row = stored_connection()
        same = TAB_CONNECTIONS.update(failures=row.failures).where(TAB_CONNECTIONS.id == row.id)

        assert same.execute() == 1


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        (
            "mysql://ann:p%40ss%2F@db.example/cats",
            {"host": "db.example", "port": 3306, "user": "ann", "password": "p@ss/"},
        ),
        (
            "mariadb://ann@[::1]:3307/cats?ssl_ca=/ca.pem",
            {"host": "::1", "port": 3307, "user": "ann", "password": "", "ssl_ca": "/ca.pem"},
        ),
        (
            "mysql://root@/cats?unix_socket=/run/mysqld.sock",
            {"host": "localhost", "user": "root", "unix_socket": "/run/mysqld.sock"},
        ),
    ],
)
def test_a_url_is_taken_apart(url: str, parts: dict[str, object]) -> None:
    taken = parse_mysql_url(url)

    assert taken["database"] == "cats"
    assert {name: taken[name] for name in parts} == parts


def test_a_missing_client_is_named_with_the_command_that_installs_it() -> None:
    limits = {"max_connections": 1, "pool_timeout": 1, "connect_timeout": 1}

    with pytest.raises(DatabaseUnreachable, match="python -m pip install pymysql"):
        open_mysql("mysql://host/cats", **limits, client="no_such_client")


@pytest.mark.parametrize(
    "url",
    [
        "mysql://",
        "mysql:///",
        "mysql://host",
        "mysql://host/",
        "mysql://host/a/b",
        "mysql://host:port/cats",
        "mysql://host/cats?charset=latin1",
    ],
)
def test_a_url_that_is_none_says_how_one_looks(settings: Settings, url: str) -> None:
    with pytest.raises(DatabaseUnreachable, match="mysql://user:password@host:port/database"):
        build_database(with_url(settings, url))
