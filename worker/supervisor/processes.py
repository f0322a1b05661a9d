"""Child process: one run of a Procfile command, with its lines, its process group and its end."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from worker.process.readiness import READY_VARIABLE
from worker.supervisor.forking import ForkedProcess, ForkServer
from worker.supervisor.output import LineHandler

_Process = asyncio.subprocess.Process | ForkedProcess

#: A line without an end is passed on in pieces of this size.
_MAX_LINE_BYTES: Final = 64 * 1024
#: The kernel ends a killed process in a moment; a zombie is left to pid 1.
_KILL_SECONDS: Final = 1.0
_POLL_SECONDS: Final = 0.05


class ServiceProcess:
    """A command in a session of its own, so that it can be signalled together with its children."""

    def __init__(self, name: str, process: _Process, reading: asyncio.Task[None]) -> None:
        """Wrap a process that `start_process` has started, and the task that reads its lines."""
        self.name = name
        self.pid = process.pid
        self._process = process
        self._reading = reading

    async def wait(self) -> int:
        """Return the leader's exit status once it ends, negative for a signal."""
        return await self._process.wait()

    def terminate(self) -> None:
        """Send SIGTERM to the leader alone: a child that gets a second one cuts its jobs off."""
        if self._process.returncode is None:
            self._process.terminate()

    def kill(self) -> None:
        """End the leader and its children at once."""
        _signal_group(self.pid, signal.SIGKILL)

    async def clean_up(self, orphan_seconds: float) -> None:
        """End the children of a dead leader; one with a job in flight has `orphan_seconds`."""
        _signal_group(self.pid, signal.SIGTERM)
        if not await _await_group_end(self.pid, orphan_seconds):
            _signal_group(self.pid, signal.SIGKILL)
            await _await_group_end(self.pid, _KILL_SECONDS)
        # A daemon that left the group may still hold the pipe; its lines are not waited for.
        await asyncio.wait([self._reading], timeout=_KILL_SECONDS)
        self._reading.cancel()


async def start_process(
    name: str,
    command: str,
    environment: Mapping[str, str],
    on_line: LineHandler,
    on_ready: Callable[[], None] | None = None,
    *,
    fork_server: ForkServer | None = None,
) -> ServiceProcess:
    """Start a Procfile command; the shell expands its $VARIABLES and becomes the program.

    A command of ours is forked by the `fork_server`, where there is one. With `on_ready` the
    process gets a pipe, and `on_ready` is called once it writes to that.

    Raises:
        OSError: There is no shell, or no room for another process.
    """
    read_end, write_end = os.pipe()
    passed = [] if on_ready is None else [_await_ready(on_ready)]
    # Our own pipe: with one of asyncio's, wait() may last until the last grandchild closes it.
    reading = asyncio.create_task(_read_lines(read_end, name, on_line))
    try:
        process: _Process | None = None
        if fork_server is not None:
            process = await fork_server.start(command, environment, write_end, passed)
        process = process or await _spawn(command, environment, write_end, passed)
    finally:
        for end in (write_end, *passed):
            os.close(end)
    return ServiceProcess(name, process, reading)


async def _spawn(
    command: str, environment: Mapping[str, str], output: int, passed: Sequence[int]
) -> asyncio.subprocess.Process:
    """Start a shell command that writes to a descriptor, and inherits those for its readiness."""
    return await asyncio.create_subprocess_exec(
        *("/bin/sh", "-c", f"exec {command}"),
        env={**environment, READY_VARIABLE: " ".join(map(str, passed))},
        pass_fds=passed,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,
    )


def _await_ready(on_ready: Callable[[], None]) -> int:
    """Return the end of a pipe, and call `on_ready` when something is written to it."""
    loop = asyncio.get_running_loop()
    read_end, write_end = os.pipe()

    def react() -> None:
        loop.remove_reader(read_end)
        if os.read(read_end, 1):
            on_ready()
        os.close(read_end)

    loop.add_reader(read_end, react)
    return write_end


async def _read_lines(read_end: int, name: str, on_line: LineHandler) -> None:
    reader = asyncio.StreamReader(limit=_MAX_LINE_BYTES)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(read_end, "rb")
    )
    while line := await _read_line(reader):
        on_line(name, line.decode(errors="replace").rstrip())
    transport.close()


async def _read_line(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil()
    except asyncio.IncompleteReadError as end:
        return end.partial
    except asyncio.LimitOverrunError as overrun:
        return await reader.read(overrun.consumed)


async def _await_group_end(group: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while _signal_group(group, 0):
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(_POLL_SECONDS)
    return True


def _signal_group(group: int, number: int) -> bool:
    """Send a signal to a process group, 0 only to look; return false when the group is empty."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True
