"""Keeps processes running: starts them, starts those anew that end by themselves, and ends them in order."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Mapping
from typing import Final

from worker.processes import Listener, ServiceProcess, start_process

#: Who has run this long has started well, so its end is an accident and not a habit.
_STEADY_SECONDS: Final = 10.0
_FIRST_DELAY_SECONDS: Final = 0.5
_LONGEST_DELAY_SECONDS: Final = 30.0


class Backoff:
    """How long to wait before a process is started anew: not at all, unless it keeps ending at once."""

    def __init__(self) -> None:
        """Begin without a delay."""
        self._delay = 0.0

    def next_delay(self, lived_seconds: float) -> float:
        """Return the seconds to wait now that a process has ended after `lived_seconds`."""
        delay = 0.0 if lived_seconds >= _STEADY_SECONDS else self._delay
        self._delay = min(max(2 * delay, _FIRST_DELAY_SECONDS), _LONGEST_DELAY_SECONDS)
        return delay


class Supervisor:
    """The processes of one service, by name; a name ends when it is stopped and not before."""

    def __init__(self, listener: Listener, on_change: Callable[[], None]) -> None:
        """Take who hears the processes' lines, and who is told that one was started or ended."""
        self._listener = listener
        self._on_change = on_change
        self._running: dict[str, ServiceProcess] = {}
        self._keepers: dict[str, asyncio.Task[None]] = {}
        self._clear_ups: set[asyncio.Task[None]] = set()
        self._ending: set[str] = set()
        #: How often each name was started.
        self.starts: dict[str, int] = {}

    @property
    def names(self) -> list[str]:
        """The processes that are kept running."""
        return list(self._keepers)

    @property
    def pids(self) -> dict[str, int]:
        """The leaders that run now, by name."""
        return {name: process.pid for name, process in self._running.items()}

    def keep(self, name: str, command: str, environment: Mapping[str, str]) -> None:
        """Start a process and keep it running."""
        self.starts[name] = 0
        self._keepers[name] = asyncio.create_task(self._keep(name, command, environment))

    async def stop(self, names: Collection[str], grace_seconds: float) -> None:
        """End processes: ask all of them at once, and kill who still runs after `grace_seconds`."""
        keepers = [self._keepers.pop(name) for name in names]
        self._ending.update(names)
        for keeper, name in zip(keepers, names, strict=True):
            process = self._running.get(name)
            # Without a process, its keeper is waiting to start one.
            process.terminate() if process else keeper.cancel()
        if keepers:
            await asyncio.wait(keepers, timeout=grace_seconds)
        self._kill(names)
        await asyncio.gather(*keepers, return_exceptions=True)
        await asyncio.gather(*self._clear_ups)

    def kill_all(self) -> None:
        """End every process at once, jobs in hand or not."""
        self._ending.update(self._running)
        self._kill(self._running)

    def _kill(self, names: Collection[str]) -> None:
        for name in names:
            if name in self._running:
                self._running[name].kill()

    async def _keep(self, name: str, command: str, environment: Mapping[str, str]) -> None:
        backoff = Backoff()
        while name not in self._ending:
            process = await start_process(name, command, environment, self._listener)
            status = await self._run_to_end(process)
            if name not in self._ending:
                delay = backoff.next_delay(time.monotonic() - process.started_at)
                self._listener(name, _obituary(status, delay))
                await asyncio.sleep(delay)

    async def _run_to_end(self, process: ServiceProcess) -> int:
        self.starts[process.name] += 1
        self._running[process.name] = process
        self._on_change()
        status = await process.wait()
        del self._running[process.name]
        self._on_change()
        # Its replacement need not wait for the orphans to end.
        clear_up = asyncio.create_task(process.clear_up())
        self._clear_ups.add(clear_up)
        clear_up.add_done_callback(self._clear_ups.discard)
        return status


def _obituary(status: int, delay: float) -> str:
    how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
    return f"{how}; starting it anew{f' in {delay:g} s' if delay else ''}"
