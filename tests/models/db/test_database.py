"""Tests of the connection to the database: how long one is held, and which error is reported."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import sqlite3
import stat
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import peewee
import psutil
import psycopg
import pytest

from config import ROOT, ConfigurationError, Settings
from models.db.database import (
    build_database,
    ensure_open,
    hold_connection,
    is_answering,
    light_transaction,
    open_database,
    sealer,
    transaction,
)
from models.db.database import database as the_database
from models.db.errors import DatabaseUnreachable
from models.server import TAB_SERVER, begin_boot, current_generation
from tests.conftest import SERVER_KINDS
from tests.models.races import race_processes, race_threads
from tests.models.reopening import reopened
from tests.models.times import NOW

PASSWORD = "hunter2-of-the-database"


#: For what SQLite does not do.
on_servers = pytest.mark.parametrize("database_kind", SERVER_KINDS)
on_postgresql = pytest.mark.parametrize("database_kind", ["postgresql"])


def with_url(settings: Settings, url: str) -> Settings:
    return dataclasses.replace(settings, database_url=url)


def with_limits(settings: Settings, **limits: int) -> Settings:
    return dataclasses.replace(settings, database=dataclasses.replace(settings.database, **limits))


# -- Holding a connection


@pytest.mark.usefixtures("database")
def test_a_query_without_a_connection_is_refused() -> None:
    # Given no connection in this thread
    # When it queries all the same
    # Then no connection is opened implicitly, which would never be closed
    with pytest.raises(peewee.InterfaceError):
        current_generation()
    assert the_database.is_closed()


@pytest.mark.usefixtures("database")
def test_a_block_within_a_block_shares_the_connection() -> None:
    # Given a block that holds a connection
    with hold_connection():
        outer = the_database.connection()

        # When another block stands within it
        with hold_connection():
            assert the_database.connection() is outer

        # Then the inner block's end does not take the connection away
        assert current_generation() == 0
    assert the_database.is_closed()


@pytest.mark.usefixtures("database")
def test_a_block_that_fails_gives_its_connection_back() -> None:
    with pytest.raises(KeyError), transaction():
        raise KeyError

    assert the_database.is_closed()


def test_threads_leave_no_connection_behind(database: Settings) -> None:
    # Given a pool of two connections, where the database has a pool
    with reopened(with_limits(database, max_connections=2)):
        before = psutil.Process().num_fds()

        # When many threads have queried and ended
        for _ in range(3):
            race_threads(8, lambda _: current_generation())

        # Then no more than the pool is left of them; SQLite keeps a file of each that was closed
        # for the next to open it, beside the two of each that is open and the one of them all
        kept = 8 + 3 * 2 + 1 if database.database_url.startswith("sqlite") else 2
        assert psutil.Process().num_fds() <= before + kept


@pytest.mark.usefixtures("database")
def test_a_transaction_that_fails_leaves_nothing() -> None:
    with transaction():
        begin_boot(NOW)

    with contextlib.suppress(KeyError), transaction():
        begin_boot(NOW)
        raise KeyError

    with hold_connection():
        assert current_generation() == 1


# -- SQLite's lock


def count_up_slowly(times: int) -> None:
    """Read a row and write it back, which needs the lock from the first of the two on."""
    for _ in range(times):
        with transaction():
            row = TAB_SERVER.get()
            row.generation += 1
            row.save()


def count_up_in_threads(threads: int, times: int) -> None:
    race_threads(threads, lambda _: count_up_slowly(times))


def test_all_writers_of_sqlite_get_their_turn(tables: Settings) -> None:
    # Given a row of SQLite
    with hold_connection():
        begin_boot(NOW)

    # When 2 processes with 8 threads each read and write it at once
    race_processes(2, tables, count_up_in_threads, 8, 3)

    # Then no writer finds the database locked, and no change overwrites another
    with hold_connection():
        assert current_generation() == 1 + 2 * 8 * 3


def test_a_lock_that_is_held_for_too_long_is_reported(tables: Settings) -> None:
    # Given a writer that keeps SQLite to itself
    # When another writer times out
    # Then its error says that the database is locked, and names the setting
    with (
        reopened(with_limits(tables, busy_timeout_seconds=0)),
        held_transaction(),
        pytest.raises(DatabaseUnreachable, match=r"DATABASE_URL \(database is locked\)"),
    ):
        count_up_slowly(1)


def test_opening_a_new_file_of_sqlite_waits_for_another_process_that_writes(
    settings: Settings, tmp_path: Path
) -> None:
    # Given a new file that another process writes to, in SQLite's usual mode
    path = tmp_path / "new.sqlite3"
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    answers: list[bool] = []
    with reopened(with_url(settings, f"sqlite:///{path}")):
        opening = threading.Thread(target=lambda: answers.append(is_answering()))
        opening.start()
        opening.join(0.2)

        # When it is opened, then that has not failed, but waits, and goes on when it can
        assert opening.is_alive()
        other.close()
        opening.join(30)
    assert answers == [True]


@pytest.mark.usefixtures("tables")
def test_a_file_of_sqlite_that_is_restored_takes_the_place_of_the_open_one(tmp_path: Path) -> None:
    # Given a file that is kept open, and a copy of it
    path, copy = tmp_path / "catfeeder.sqlite3", tmp_path / "copy.sqlite3"
    with hold_connection():
        the_database.execute_sql("VACUUM INTO ?", (str(copy),))
        begin_boot(NOW)
        assert current_generation() == 1

    # When the copy is moved to its place
    copy.rename(path)
    for left in tmp_path.glob("catfeeder.sqlite3-*"):
        left.unlink()

    # Then the next block reads the copy
    with hold_connection():
        assert current_generation() == 0


@pytest.mark.usefixtures("tables")
def test_successive_blocks_share_one_connection_to_sqlite() -> None:
    seen = set()
    for _ in range(3):
        with hold_connection():
            seen.add(the_database.connection())

    assert len(seen) == 1


@pytest.mark.usefixtures("tables")
def test_sqlite_survives_a_loss_of_power_and_readers_beside_a_writer() -> None:
    with hold_connection():
        assert the_database.pragma("synchronous") == 2
        assert the_database.pragma("journal_mode") == "wal"


@pytest.mark.usefixtures("tables")
def test_after_a_light_transaction_of_sqlite_the_next_one_is_durable() -> None:
    def is_durable() -> bool:
        return bool(the_database.pragma("synchronous") == 2)

    with hold_connection():
        # Given one that does not wait for the disk, and one that fails
        with light_transaction():
            assert not is_durable()
        assert is_durable()
        with pytest.raises(ZeroDivisionError), light_transaction():
            raise ZeroDivisionError
        assert is_durable()

        # When it is a part of another transaction, then it is as durable as that one
        with transaction(), light_transaction():
            assert is_durable()


def test_the_sqlite_file_is_private(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "catfeeder.sqlite3"

    open_database(with_url(settings, f"sqlite:///{path}"))
    with hold_connection():
        the_database.execute_sql("CREATE TABLE t (n INTEGER)")

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_relative_sqlite_path_is_independent_of_the_working_directory(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    relative = os.path.relpath(tmp_path / "a b.sqlite3", ROOT)

    build_database(with_url(settings, f"sqlite:///{quote(relative)}"))

    assert (tmp_path / "a b.sqlite3").exists()


def test_a_database_in_memory_is_refused(settings: Settings) -> None:
    # Each connection would see tables of its own, and lose them at its end.
    for url in ("sqlite:///:memory:", "sqlite:///", "sqlite://", "sqlite://x/y.sqlite3"):
        with pytest.raises(DatabaseUnreachable, match="must name a file"):
            build_database(with_url(settings, url))


# -- The pool of connections to a server


@on_servers
def test_a_thread_waits_for_a_connection_of_an_exhausted_pool(tables: Settings) -> None:
    # Given a pool of one connection, which a thread holds
    with reopened(with_limits(tables, max_connections=1)):
        answers: list[bool] = []
        waiting = threading.Thread(target=lambda: answers.append(is_answering()))
        with held_transaction() as release:
            # When another thread needs one
            waiting.start()
            waiting.join(0.5)

            # Then it has not failed, but waits
            assert waiting.is_alive()
            release()
            waiting.join(30)
            assert answers == [True]


@on_servers
def test_a_pool_that_stays_exhausted_names_the_setting(tables: Settings) -> None:
    with (
        reopened(with_limits(tables, max_connections=1), pool_timeout=0.2),
        held_transaction(),
        pytest.raises(DatabaseUnreachable, match=r"for 0\.2 seconds: raise max_connections in"),
    ):
        count_up_slowly(1)


@on_servers
def test_more_threads_than_connections_all_get_through(tables: Settings) -> None:
    with reopened(with_limits(tables, max_connections=2)):
        assert race_threads(16, lambda _: current_generation()) == [0] * 16


def end_own_backend(settings: Settings) -> None:
    """Let the server end the connection of this thread."""
    if settings.database_url.startswith("mariadb"):
        (number,) = the_database.execute_sql("SELECT CONNECTION_ID()").fetchone()
        with reopened(settings), hold_connection():
            the_database.execute_sql(f"KILL {number}")
        return
    (number,) = the_database.execute_sql("SELECT pg_backend_pid()").fetchone()
    with psycopg.connect(settings.database_url, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 10000)", (number,))


@on_servers
def test_a_connection_that_the_server_has_closed_is_replaced(tables: Settings) -> None:
    # Given a connection that went back to the pool
    # When the server ends it, as a restart would
    with hold_connection():
        end_own_backend(tables)

    # Then the next block does not notice
    with hold_connection():
        assert current_generation() == 0


@on_servers
def test_a_connection_lost_within_a_block_is_reported_and_not_used_again(tables: Settings) -> None:
    # Given a block in the midst of its work
    def lose_connection() -> None:
        with transaction():
            begin_boot(NOW)
            end_own_backend(tables)
            begin_boot(NOW)

    # When the server ends its connection
    with pytest.raises(DatabaseUnreachable):
        lose_connection()

    # Then nothing of the block is kept, and the next one has another connection
    with hold_connection():
        assert current_generation() == 0


@contextmanager
def many_open_files() -> Iterator[None]:
    """Hold so many descriptors that each further one has a number above 1024."""
    with contextlib.ExitStack() as held, Path(os.devnull).open() as null:
        for _ in range(1100):
            held.callback(os.close, os.dup(null.fileno()))
        yield


@on_servers
def test_a_process_with_a_thousand_open_files_uses_its_pool(tables: Settings) -> None:
    # Given a process that holds more than a thousand descriptors
    with many_open_files(), reopened(tables):
        # When one block follows another
        for _ in range(3):
            with hold_connection():
                assert the_database.execute_sql("SELECT 1").fetchone() == (1,)
        # Then they have shared one connection, and none is lost
        assert len(the_database.obj._connections) == 1
        assert not the_database.obj._in_use


@on_postgresql
def test_the_url_may_say_how_long_connecting_may_take(tables: Settings) -> None:
    patient = with_url(tables, f"{tables.database_url}&connect_timeout=60")

    assert build_database(patient).connect_params["connect_timeout"] == "60"
    assert build_database(tables).connect_params["connect_timeout"] == 5


@on_postgresql
def test_a_server_that_has_died_silently_is_detected_by_keep_alives(tables: Settings) -> None:
    # Given no more than the URL, and one that knows better
    eager = with_url(tables, f"{tables.database_url}&keepalives_idle=3")

    with hold_connection():
        asked = the_database.connection().info.get_parameters()

    # Then the client asks for signs of life, and gives up after half a minute without any
    seconds = int(asked["keepalives_idle"]) + 3 * int(asked["keepalives_interval"])
    assert (seconds, asked["keepalives_count"]) == (25, "3")
    assert asked["tcp_user_timeout"] == "25000"
    assert build_database(eager).connect_params["keepalives_idle"] == "3"


# -- What is said when there is no database


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://app:{PASSWORD}@127.0.0.1:1/app",
        f"postgres://app:{PASSWORD}@127.0.0.1:1/app?sslmode=disable",
        f"postgresql://app:{PASSWORD}@nowhere.invalid/app",
        f"postgresql://app:{PASSWORD}@127.0.0.1:{PASSWORD}/app",
        f"postgresql://app:{PASSWORD}@[::1/app",
        f"postgresql://app:{PASSWORD}@127.0.0.1/app?{PASSWORD}={PASSWORD}",
        f"postgresql://app:{PASSWORD}@127.0.0.1/app?sslmode=nonsense",
        f"postgresql://app:an@{PASSWORD}@127.0.0.1/app",
        f"postgresql://app:{PASSWORD}/an@127.0.0.1/app",
        f"postgresql://app:1/{PASSWORD}@127.0.0.1/app",
        f"postgresql://app:{PASSWORD}?an@127.0.0.1/app",
        f"postgresql://app:{PASSWORD}%@127.0.0.1/app",
        f"postgresql:app:{PASSWORD}@127.0.0.1/app",
        f"mysql://app:{PASSWORD}@127.0.0.1:1/app",
        f"mariadb://app:{PASSWORD}@nowhere.invalid/app",
        f"mysql://app:{PASSWORD}@127.0.0.1:{PASSWORD}/app",
        f"mysql://app:{PASSWORD}@[::1/app",
        f"mysql://app:{PASSWORD}@127.0.0.1/app?{PASSWORD}={PASSWORD}",
        f"mysql://app:an@{PASSWORD}@127.0.0.1:1/app",
        f"mysql://app:{PASSWORD}/an@127.0.0.1/app",
        f"mysql://app:{PASSWORD}?an@127.0.0.1/app",
        f"mysql://app:{PASSWORD}#an@127.0.0.1/app",
        f"mysql://app:{PASSWORD}@127.0.0.1",
        f"mysql://app:{PASSWORD}@/app",
        f"oracle://app:{PASSWORD}@127.0.0.1/app",
        f"app:{PASSWORD}@127.0.0.1",
        f"://{PASSWORD}",
        "sqlite:////proc/1/x.sqlite3",
        "sqlite:////dev/null/x.sqlite3",
        "sqlite:////dev",
        "sqlite:///%00",
    ],
)
def test_an_unusable_url_is_one_sentence_without_its_password(settings: Settings, url: str) -> None:
    # Given a DATABASE_URL that leads nowhere
    # When the database is opened and used
    with pytest.raises(DatabaseUnreachable) as failure:
        build_and_connect(with_url(settings, url))

    # Then one sentence names the setting, and neither it nor the traceback shows the password
    assert "DATABASE_URL" in str(failure.value)
    assert "\n" not in str(failure.value)
    assert PASSWORD not in "".join(traceback.format_exception(failure.value, chain=True))


def test_a_file_that_is_no_database_is_reported(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("Buy milk. " * 1000)

    with pytest.raises(DatabaseUnreachable, match="file is not a database"):
        build_and_connect(with_url(settings, f"sqlite:///{path}"))


def build_and_connect(settings: Settings) -> None:
    with reopened(settings), hold_connection():
        pass


def test_a_database_that_answers_is_distinguished_from_one_that_does_not(
    database: Settings,
) -> None:
    assert is_answering()
    with reopened(with_url(database, "postgresql://127.0.0.1:1/app")):
        assert not is_answering()


def test_opening_needs_a_secret_key(settings: Settings) -> None:
    with pytest.raises(ConfigurationError, match="SECRET_KEY"):
        open_database(dataclasses.replace(settings, secret_key=None))


@pytest.mark.usefixtures("database")
def test_a_database_that_is_open_is_not_opened_again() -> None:
    before = (the_database.obj, sealer())

    ensure_open()

    assert (the_database.obj, sealer()) == before


@contextmanager
def held_transaction() -> Iterator[Callable[[], None]]:
    """Let another thread hold a transaction for the block, or until the yielded call."""
    holding, may_end = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction():
            holding.set()
            may_end.wait(60)

    holder = threading.Thread(target=hold)
    holder.start()
    assert holding.wait(30)

    def release() -> None:
        may_end.set()
        holder.join()

    try:
        yield release
    finally:
        release()
