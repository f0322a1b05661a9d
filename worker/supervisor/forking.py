"""Fork server of a start, as the supervisor uses it: our processes are forks of loaded code.

It takes Linux. Without it, and when a process is replaced, a command is started as any other is.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Final

from config import IGNORE_ENV_FILE, is_secret_variable
from models.db.drivers import uses_postgresql
from worker.process.titles import ROOM

#: Without anything that a shell would expand.
_OURS: Final = re.compile(r"python -m worker ((?:perform|scheduler|web)(?: +[A-Za-z0-9_.-]+)*) *")
_MAX_ANSWER_BYTES: Final = 64
_END_SECONDS: Final = 5.0
#: prctl(2): the processes that a child leaves behind become ours.
_PR_SET_CHILD_SUBREAPER: Final = 36


class ForkedProcess:
    """A process that the fork server has started; it is our child once that server has ended."""

    def __init__(self, pid: int, end_server: Callable[[], Awaitable[None]]) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._end_server = end_server
        self._ended = asyncio.Event()
        self._ending = os.pidfd_open(pid)
        asyncio.get_running_loop().add_reader(self._ending, self._note_end)

    def _note_end(self) -> None:
        asyncio.get_running_loop().remove_reader(self._ending)
        os.close(self._ending)
        self._ended.set()

    async def wait(self) -> int:
        """Return the exit status once the process has ended, negative for a signal."""
        await self._ended.wait()
        await self._end_server()
        if self.returncode is None:
            self.returncode = _reap(self.pid)
        return self.returncode

    def terminate(self) -> None:
        """Send SIGTERM."""
        os.kill(self.pid, signal.SIGTERM)


class ForkServer:
    """The fork server's process, from the beginning of a start until all that it starts is ready.

    It ends sooner if one of these does: a process that is replaced starts as any other command.
    """

    def __init__(self) -> None:
        """Start it: it loads code while the caller does other things.

        Raises:
            OSError: This system has not what it needs.
        """
        _adopt_orphans(do=True)
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "worker.process.fork_server", ROOM],
                env=_without_secrets(os.environ),
                stdin=theirs.fileno(),
                start_new_session=True,
            )
        self.pid: Final = self._process.pid
        self._control.setblocking(False)
        #: Answers have no name, so there is one request at a time, and none while the server ends.
        self._using = asyncio.Lock()
        self._has_ended = False

    async def start(
        self, command: str, environment: Mapping[str, str], output: int, ready: Sequence[int]
    ) -> ForkedProcess | None:
        """Start a command that writes to `output`; None for one that is not to be forked.

        It inherits the descriptors `ready` as well.
        """
        found = _OURS.fullmatch(command)
        if found is None:
            return None
        wishes = {"arguments": found[1].split(), "environment": dict(environment)}
        with _written(wishes) as told:
            # Copies, since they are sent later than a caller that is cancelled closes its own.
            descriptors = [os.dup(each) for each in (told, output, *ready)]
        asking = asyncio.create_task(self._ask(descriptors))
        try:
            pid = await asyncio.shield(asking)
        except asyncio.CancelledError:
            asking.add_done_callback(_kill_forked)
            raise
        return ForkedProcess(pid, self.stop) if pid else None

    async def _ask(self, descriptors: Sequence[int]) -> int:
        """Return the pid of a new process; 0 where there is none."""
        try:
            async with self._using:
                if self._has_ended:
                    return 0
                socket.send_fds(self._control, [b"fork"], descriptors)
                loop = asyncio.get_running_loop()
                return int(await loop.sock_recv(self._control, _MAX_ANSWER_BYTES) or 0)
        except OSError:
            return 0
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    async def stop(self) -> None:
        """End it, and become the parent of what it has started."""
        async with self._using:
            if not self._has_ended:
                self._has_ended = True
                self._control.close()
                await asyncio.to_thread(self._await_end)

    def _await_end(self) -> None:
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        _adopt_orphans(do=False)


def launch_fork_server() -> ForkServer | None:
    """Start a fork server; return None on a system that has not what it needs."""
    try:
        os.close(os.pidfd_open(os.getpid()))
        os.close(os.memfd_create("catfeeder"))
        return ForkServer()
    except (AttributeError, OSError):
        return None


def _reap(pid: int) -> int:
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


def _kill_forked(asking: asyncio.Task[int]) -> None:
    """End a process whose start was cancelled, as asyncio does."""
    if pid := asking.result():
        os.kill(pid, signal.SIGKILL)


def _adopt_orphans(*, do: bool) -> None:
    if ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, int(do), 0, 0, 0) != 0:
        raise OSError


def _without_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what Python and its libraries read at their start, and no secret."""
    kept = {
        name: value
        for name, value in environment.items()
        if not is_secret_variable(name.removesuffix("_FILE"))
    }
    if uses_postgresql():
        # The scheme alone makes the fork server load the client; each child gets its own URL.
        kept["DATABASE_URL"] = "postgresql:"
    return {**kept, IGNORE_ENV_FILE: "1", "PYTHONUNBUFFERED": "1"}


@contextlib.contextmanager
def _written(value: object) -> Iterator[int]:
    """Yield a file in memory that holds a value as JSON, to be read from its beginning."""
    with os.fdopen(os.memfd_create("catfeeder"), "wb") as file:
        file.write(json.dumps(value).encode())
        file.flush()
        file.seek(0)
        yield file.fileno()
