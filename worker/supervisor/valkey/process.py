"""Server process of the embedded Valkey: its options, its first answer and its end."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

#: A healthy start takes 50 ms; one that still reads its file back says so, and is waited for.
_START_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 10.0
_POLL_SECONDS: Final = 0.01

LOG_NAME: Final = "valkey.log"
_PASSED: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH", "TMPDIR")


def launch_server(
    binary: Path, directory: Path, socket_path: Path, lock: int
) -> subprocess.Popen[bytes]:
    """Start a server that keeps its data in `directory`, and inherits the descriptor `lock`.

    Raises:
        OSError: The binary cannot be executed.
    """
    return subprocess.Popen(
        [binary, *_build_options(directory, socket_path)],
        # None of the service's secrets is for it.
        env={name: value for name, value in os.environ.items() if name in _PASSED},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # The server holds the lock too, so it stands for as long as either of us lives.
        pass_fds=[lock],
        # A session of its own: Ctrl-C is for the supervisor, which stops the server last.
        start_new_session=True,
        umask=0o077,
    )


def _build_options(directory: Path, socket_path: Path) -> list[str]:
    return [
        *("--port", "0"),
        *("--unixsocket", str(socket_path)),
        *("--unixsocketperm", "600"),
        *("--dir", str(directory)),
        *("--logfile", str(directory / LOG_NAME)),
        *("--daemonize", "no"),
        # A queued job survives a crash of the machine, bar its last second.
        *("--appendonly", "yes"),
        *("--appendfsync", "everysec"),
        # `embedded` cuts off half a record at the end, keeps it, and says what is lost.
        *("--aof-load-truncated", "no"),
        # The append-only file holds all; a dump beside it would only be a second copy.
        *("--save", ""),
        # Out of memory it refuses new jobs; it must never drop accepted ones.
        *("--maxmemory-policy", "noeviction"),
    ]


def await_answer(
    process: subprocess.Popen[bytes], socket_path: Path, is_wanted: Callable[[], bool]
) -> bool:
    """Return whether the server answers in time; return early when it ends or is not wanted."""
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < deadline and is_wanted():
        reply = _ping(socket_path)
        if reply.startswith(b"+PONG"):
            return True
        if reply.startswith(b"-LOADING"):
            deadline = time.monotonic() + _START_SECONDS
        time.sleep(_POLL_SECONDS)
    return False


def end_server(process: subprocess.Popen[bytes]) -> None:
    """Stop a server, which writes out what it holds, and wait for its end."""
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _ping(path: Path) -> bytes:
    """Send PING by hand: loading a client library takes longer than the server's start."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(1)
        try:
            connection.connect(str(path))
            connection.sendall(b"PING\r\n")
            return connection.recv(64)
        except OSError:
            return b""
