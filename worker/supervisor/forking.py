"""Fork server of a start, as the supervisor uses it: our processes are forks of loaded code.

It is a fork of the supervisor, made before that has read a secret, and so shares its code as well.
It takes Linux. Without it, and when a process is replaced, a command is started as any other is.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import re
import select
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from worker.process.fork_server import CALL, FORK, run_fork_server
from worker.process.fresh_start import is_fresh

#: Without anything that a shell would expand.
_OURS: Final = re.compile(r"python -m worker ((?:perform|scheduler|web)(?: +[A-Za-z0-9_.-]+)*) *")
_MAX_ANSWER_BYTES: Final = 64
#: The answer to a call that has returned 0.
_SUCCESS: Final = 1
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


class _Connection:
    """Connection to a fork server, which loads code until it answers the first request."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._control.setblocking(False)
        #: Answers have no name, so there is one request at a time.
        self._using = asyncio.Lock()
        self._is_closed = False

    async def ask(self, request: bytes, descriptors: Sequence[int]) -> int:
        """Return the answer, such as the pid of a new process; 0 where there is none."""
        try:
            async with self._using:
                if self._is_closed:
                    return 0
                socket.send_fds(self._control, [request], descriptors)
                loop = asyncio.get_running_loop()
                return int(await loop.sock_recv(self._control, _MAX_ANSWER_BYTES) or 0)
        except OSError:
            return 0
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    async def close(self) -> None:
        """Close it, once there is no request."""
        async with self._using:
            self._is_closed = True
            self._control.close()


class ForkServer:
    """The fork server's process, from the beginning of a start until all that it starts is ready.

    It ends sooner if one of these does: a process that is replaced starts as any other command.
    """

    def __init__(self, pid: int, control: socket.socket, web_control: socket.socket) -> None:
        """The sockets are the connections to the process, and to the shim's own fork server."""
        self.pid: Final = pid
        self._connection = _Connection(control)
        self._web_connection = _Connection(web_control)
        self._ending = asyncio.Lock()
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
        arguments = found[1].split()
        wishes = {"arguments": arguments, "environment": dict(environment)}
        # Copies, since they are sent later than a caller that is cancelled closes its own.
        descriptors = [_write(wishes), *(os.dup(each) for each in (output, *ready))]
        connection = self._web_connection if arguments[0] == "web" else self._connection
        asking = asyncio.create_task(connection.ask(FORK, descriptors))
        try:
            pid = await asyncio.shield(asking)
        except asyncio.CancelledError:
            asking.add_done_callback(_kill_forked)
            raise
        return ForkedProcess(pid, self.stop) if pid else None

    async def call(self, function: str, environment: Mapping[str, str]) -> bool:
        """Call a function, by its module and name, in a process of its own with an environment.

        Return whether it has returned 0. No other process is started meanwhile.
        """
        wishes = {"function": function, "environment": dict(environment)}
        return await self._connection.ask(CALL, [_write(wishes)]) == _SUCCESS

    async def stop(self) -> None:
        """End it, and become the parent of what it has started."""
        async with self._ending:
            if not self._has_ended:
                self._has_ended = True
                await self._web_connection.close()
                await self._connection.close()
                await asyncio.to_thread(self._await_end)

    def _await_end(self) -> None:
        ending = os.pidfd_open(self.pid)
        if not select.select([ending], [], [], _END_SECONDS)[0]:
            os.kill(self.pid, signal.SIGKILL)
        os.close(ending)
        _reap(self.pid)
        _adopt_orphans(do=False)


def launch_fork_server() -> ForkServer | None:
    """Fork a fork server off this process, if that has begun afresh; else return None.

    In the new process, and in those that it forks, it ends by SystemExit.
    """
    if not is_fresh():
        return None
    try:
        _adopt_orphans(do=True)
    except OSError:
        return None
    pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(2)]
    ours, theirs = zip(*pairs, strict=True)
    pid = os.fork()
    for each in theirs if pid else ours:
        each.close()
    if pid == 0:
        sys.exit(run_fork_server(*theirs))
    return ForkServer(pid, *ours)


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


def _write(value: object) -> int:
    """Return the descriptor of a file in memory that holds a value as JSON."""
    descriptor = os.memfd_create("catfeeder")
    with os.fdopen(descriptor, "wb", closefd=False) as file:
        file.write(json.dumps(value).encode())
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor
