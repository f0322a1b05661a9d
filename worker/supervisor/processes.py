"""One run of a Procfile command: started, heard line by line, ended with all that it started."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable, Mapping
from typing import Final

#: Called with the name of a process and a line that it printed.
Listener = Callable[[str, str], None]

#: A line without an end is passed on in pieces of this size.
_LONGEST_LINE_BYTES: Final = 64 * 1024
#: How long the children of a dead leader may go on with the jobs in hand.
_ORPHAN_SECONDS: Final = 3.0
#: The kernel ends what was killed in a moment; what stays is a zombie, left to pid 1.
_KILL_SECONDS: Final = 1.0
_POLL_SECONDS: Final = 0.05


class ServiceProcess:
    """A command in a session of its own, so that it can be signalled together with its children."""

    def __init__(
        self, name: str, process: asyncio.subprocess.Process, listening: asyncio.Task[None]
    ) -> None:
        """Use `start_process`; this takes what it has made."""
        self.name = name
        self.pid = process.pid
        self._process = process
        self._listening = listening

    async def wait(self) -> int:
        """Return the leader's exit status once it ends, negative for a signal."""
        return await self._process.wait()

    def terminate(self) -> None:
        """Ask the leader to end; it asks its children, whom a second request would cut off."""
        if self._process.returncode is None:
            self._process.terminate()

    def kill(self) -> None:
        """End the leader and its children at once."""
        _signal_group(self.pid, signal.SIGKILL)

    async def clear_up(self) -> None:
        """End what a dead leader has left, politely first: an orphan may have a job in hand."""
        _signal_group(self.pid, signal.SIGTERM)
        if not await _group_ends(self.pid, _ORPHAN_SECONDS):
            _signal_group(self.pid, signal.SIGKILL)
            await _group_ends(self.pid, _KILL_SECONDS)
        # A daemon that left the group may still hold the pipe; its lines are not waited for.
        await asyncio.wait([self._listening], timeout=_KILL_SECONDS)
        self._listening.cancel()


async def start_process(
    name: str, command: str, environment: Mapping[str, str], listener: Listener
) -> ServiceProcess:
    """Start a Procfile command; the shell expands its $VARIABLES and becomes the program."""
    read_end, write_end = os.pipe()
    # Our own pipe: with one of asyncio's, wait() may last until the last grandchild closes it.
    listening = asyncio.create_task(_listen(read_end, name, listener))
    try:
        process = await asyncio.create_subprocess_exec(
            *("/bin/sh", "-c", f"exec {command}"),
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=write_end,
            stderr=write_end,
            start_new_session=True,
        )
    finally:
        os.close(write_end)
    return ServiceProcess(name, process, listening)


async def _listen(read_end: int, name: str, listener: Listener) -> None:
    reader = asyncio.StreamReader(limit=_LONGEST_LINE_BYTES)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(read_end, "rb")
    )
    while line := await _read_line(reader):
        listener(name, line.decode(errors="replace").rstrip())
    transport.close()


async def _read_line(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil()
    except asyncio.IncompleteReadError as end:
        return end.partial
    except asyncio.LimitOverrunError as overrun:
        return await reader.read(overrun.consumed)


async def _group_ends(group: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while _signal_group(group, 0):
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(_POLL_SECONDS)
    return True


def _signal_group(group: int, request: int) -> bool:
    """Signal a process group, 0 only to look; false when nobody is left in it."""
    try:
        os.killpg(group, request)
    except (ProcessLookupError, PermissionError):
        return False
    return True
