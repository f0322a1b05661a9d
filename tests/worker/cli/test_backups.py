"""`backup` and `restore`: a drill with tokens that open again, and restores that are refused."""

from __future__ import annotations

import gzip
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import config
from actors.connections.reading import list_connections
from actors.connections.token_reading import read_token
from catfeeder.clock import utc_now
from models.api_keys import TAB_API_KEYS
from models.backup.tables import HISTORY, TABLES
from models.db.database import database, hold_connection, open_database, sealer
from models.events import TAB_EVENTS
from tests.actors.renewals import connect
from tests.actors.sign_ins import configure_plain
from tests.conftest import OTHER_SECRET_KEY, SECRET_KEY
from tests.scripted_provider import ScriptedProvider
from tests.servers import PostgresServer
from tests.worker.cli.conftest import Command
from worker.cli.terminal.commands import report_errors
from worker.cli.terminal.files import open_whole

UseDatabase = Callable[..., None]


@pytest.fixture
def use_database(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[UseDatabase]:
    """Let this process work on another database, and have other keys."""

    def use(url: str, **variables: str) -> None:
        monkeypatch.setattr(config, "ENV", {**environment, "DATABASE_URL": url, **variables})
        config.current_settings.cache_clear()

    yield use
    config.current_settings.cache_clear()


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(
    request: pytest.FixtureRequest, tmp_path: Path, _postgresql_server: PostgresServer
) -> Iterator[str]:
    """A database of each kind with nothing in it."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/restored.sqlite3"
        return
    with _postgresql_server.database() as url:
        yield url


@pytest.mark.usefixtures("tables", "database")
def test_a_drill_of_backup_and_restore(
    command: Command,
    provider: ScriptedProvider,
    tmp_path: Path,
    empty_url: str,
    use_database: UseDatabase,
) -> None:
    # Given a service with connections, and a backup of it
    configure_plain(provider)
    rows = connect(provider, 3)
    tokens = [read_token(row.id, utc_now()).json["access_token"] for row in rows]
    before = list_connections()["items"]
    path = tmp_path / "all.backup"
    assert command("keys", "make", "shop", "--scope", "jobs").returncode == 0
    made = command("backup", str(path))
    assert made.returncode == 0, made.stderr
    # Then it is its owner's alone, whole, and holds the ids of keys, neither keys nor tokens
    content = gzip.decompress(path.read_bytes()).decode()
    assert (path.stat().st_mode & 0o077, list(tmp_path.glob("*.part"))) == (0, [])
    assert sealer().current_key_id.hex() in made.stdout
    assert sealer().current_key_id.hex() in content
    assert not any(secret in content for secret in (SECRET_KEY, *map(str, tokens)))
    # When all is lost, and it is restored to another database
    use_database(empty_url)
    restored = command("restore", str(path))
    # Then every token opens, and every row is authentic, as it was
    assert restored.returncode == 0, restored.stderr
    assert [read_token(row.id, utc_now()).json["access_token"] for row in rows] == tokens
    assert list_connections()["items"] == before
    assert command("rows", "list").returncode == 0
    with hold_connection():
        assert TAB_API_KEYS.select().count() == 1
        # And new rows are numbered behind the old ones
        last = TAB_EVENTS.select().order_by(TAB_EVENTS.id.desc()).get().id
        assert TAB_EVENTS.insert(kind="x", created_at=utc_now(), attempts=0).execute() > last
    # And it is said who must sign in again, and what serves again
    assert "none has to be signed in again" in restored.stdout
    assert "revoke them anew" in restored.stdout
    # And a second restore would erase what is there
    again = command("restore", str(path))
    assert (again.returncode, "in use" in again.stderr) == (1, True)


@pytest.mark.usefixtures("tables")
def test_a_backup_that_cannot_be_written_says_what_is_in_its_way(
    command: Command, tmp_path: Path
) -> None:
    for path, sentence in (
        (tmp_path / "none" / "a", f"The folder {tmp_path / 'none'} is not there: make it first"),
        (tmp_path, f"{tmp_path} cannot be used: Is a directory."),
        (Path("/dev/null/a"), "cannot be used: Not a directory."),
    ):
        # When a backup is to be written where it cannot, then the sentence names what to change
        ended = command("backup", str(path))
        assert (ended.returncode, ended.stdout) == (1, "")
        assert sentence in ended.stderr
    # And a file that is there stays as it is, unless it is to be overwritten
    folder = tmp_path / "folder"
    folder.mkdir()
    path = folder / "accounts.xlsx"
    path.write_text("years of work")
    path.chmod(0o644)
    ended = command("backup", str(path))
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == f"{path} is there already: name another file, or give --overwrite.\n"
    assert path.read_text() == "years of work"
    assert command("backup", str(path), "--overwrite").returncode == 0
    assert (path.read_bytes()[:2], path.stat().st_mode & 0o777) == (b"\x1f\x8b", 0o600)
    # And neither leaves anything beside it
    assert [*folder.iterdir()] == [path]


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_a_command_that_is_ended_leaves_no_file(name: str, tmp_path: Path) -> None:
    # Given a command that has written half a file
    def write_half() -> None:
        with report_errors(), open_whole(tmp_path / "all.backup") as file:
            file.write(b"half")
            # When its terminal is closed, or it is to end
            signal.raise_signal(signal.Signals[name])

    with pytest.raises((KeyboardInterrupt, SystemExit)):
        write_half()
    # Then nothing is left
    assert [*tmp_path.iterdir()] == []


@pytest.mark.usefixtures("tables")
def test_a_restore_says_whose_refresh_tokens_may_be_spent(
    command: Command, provider: ScriptedProvider, tmp_path: Path, use_database: UseDatabase
) -> None:
    # Given a backup whose tokens have fallen due since
    configure_plain(provider)
    connect(provider, 2)
    with hold_connection():
        database.execute_sql("UPDATE connections SET renew_at = 1")
    path = tmp_path / "all.backup"
    assert command("backup", str(path)).returncode == 0

    use_database(f"sqlite:///{tmp_path}/restored.sqlite3")
    restored = command("restore", str(path))

    assert ": 2 connections have fallen due" in restored.stdout
    assert "sign in again" in restored.stdout


@pytest.mark.usefixtures("tables")
def test_a_restore_that_cannot_be_whole_restores_nothing(
    command: Command, provider: ScriptedProvider, tmp_path: Path, use_database: UseDatabase
) -> None:
    configure_plain(provider)
    connect(provider, 2)
    path, cut = tmp_path / "all.backup", tmp_path / "cut.backup"
    assert command("backup", str(path)).returncode == 0
    key_id = sealer().current_key_id.hex()
    url = f"sqlite:///{tmp_path}/new/folder/restored.sqlite3"

    # Given one that is cut off, within a row and between two, or is something else
    lines = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
    for content in (path.read_bytes()[:-40], gzip.compress(b"".join(lines[:-1])), b"cats", b""):
        cut.write_bytes(content)
        use_database(url)
        refused = command("restore", str(cut))
        assert refused.returncode == 1
        assert "backup" in refused.stderr
        assert "Traceback" not in refused.stderr
    # And a service with another key, which is told which one it needs
    use_database(url, SECRET_KEY=OTHER_SECRET_KEY)
    refused = command("restore", str(path))
    assert refused.returncode == 1
    assert f"the SECRET_KEY of the id {key_id}" in refused.stderr
    refused = command("restore", str(tmp_path / "none.backup"))
    assert (refused.returncode, refused.stdout) == (1, "")
    assert not (tmp_path / "new").exists()

    # Then nothing was restored or left, and with the right one all is, also as a former key
    use_database(url, SECRET_KEY=OTHER_SECRET_KEY, SECRET_KEY_PREVIOUS=SECRET_KEY)
    assert command("restore", str(path)).returncode == 0
    assert len(list_connections()["items"]) == 2


def test_a_backup_has_every_table(tables: config.Settings) -> None:
    open_database(tables)
    with hold_connection():
        assert {*TABLES, HISTORY} == set(database.get_tables())
