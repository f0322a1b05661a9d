"""Keeps processes running: starts them, replaces those that end by themselves, and ends them."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from typing import Final

from worker.supervisor.plan import PlannedProcess
from worker.supervisor.processes import Listener, ServiceProcess, start_process

#: Who has run this long has started well, so its end is an accident and not a habit.
_STEADY_SECONDS: Final = 10.0
#: Who has lived this long has loaded all it needs, and what ends it later is not how it is set up.
_PROVEN_SECONDS: Final = 3.0
#: Who has ended with an error this often, and never did anything else, will not get better.
_HOPELESS_FAILURES: Final = 4
#: What a shell reports for a command that it cannot start.
_NOT_STARTED: Final = 126
_FIRST_DELAY_SECONDS: Final = 0.5
_LONGEST_DELAY_SECONDS: Final = 30.0


class Backoff:
    """How long to wait before a process is replaced: not at all, unless it keeps ending at once."""

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
        self._plans: dict[str, PlannedProcess] = {}
        self._keepers: dict[str, asyncio.Task[None]] = {}
        self._running: dict[str, ServiceProcess] = {}
        self._ending: set[str] = set()
        self._clear_ups: set[asyncio.Task[None]] = set()
        self._failures: Counter[str] = Counter()
        self._proven: set[str] = set()

    @property
    def pids(self) -> list[int]:
        """The leaders that run now."""
        return [process.pid for process in self._running.values()]

    @property
    def hopeless(self) -> list[str]:
        """The processes that have ended with an error at each of their first starts."""
        return [name for name, count in self._failures.items() if count >= _HOPELESS_FAILURES]

    def names(self, kind: str | None = None) -> list[str]:
        """Return the processes that have not been ended, of one kind or of all."""
        return [
            name
            for name, keeper in self._keepers.items()
            if not keeper.done() and kind in (None, self._plans[name].kind)
        ]

    def keep(self, planned: PlannedProcess) -> None:
        """Start a process and keep it running."""
        self._plans[planned.name] = planned
        self._keepers[planned.name] = asyncio.create_task(self._keep(planned))

    async def stop(self, names: Collection[str], grace_seconds: float) -> None:
        """End processes: ask all of them at once, and kill who still runs after `grace_seconds`."""
        for name in names:
            self._ask_to_end(name)
        # Waiting, unlike gathering, leaves the keepers be when a second signal cancels us.
        await _settled([self._keepers[name] for name in names], grace_seconds)
        for name in names:
            if name in self._running:
                self._running[name].kill()
        await _settled([self._keepers[name] for name in names])
        await _settled(self._clear_ups)

    def _ask_to_end(self, name: str) -> None:
        self._ending.add(name)
        if name in self._running:
            self._running[name].terminate()
        else:
            # It waits to start the process, or has just begun to; asyncio kills what it has begun.
            self._keepers[name].cancel()

    async def _keep(self, planned: PlannedProcess) -> None:
        backoff = Backoff()
        while planned.name not in self._ending:
            began_at = time.monotonic()
            status = await self._run_to_end(planned)
            if planned.name not in self._ending:
                lived_seconds = time.monotonic() - began_at
                self._judge(planned.name, status, lived_seconds)
                delay = backoff.next_delay(lived_seconds)
                end = f"killed by signal {-status}" if status < 0 else f"ended with status {status}"
                self._listener(planned.name, f"{end}; started anew in {delay:g} s")
                await asyncio.sleep(delay)

    def _judge(self, name: str, status: int, lived_seconds: float) -> None:
        """Count the failures of who has never worked; to be killed is no failure of its own."""
        if lived_seconds >= _PROVEN_SECONDS:
            self._proven.add(name)
            del self._failures[name]
        elif status > 0 and name not in self._proven:
            self._failures[name] += 1

    async def _run_to_end(self, planned: PlannedProcess) -> int:
        """Run a process once and return its status, negative for a signal."""
        try:
            process = await start_process(
                planned.name, planned.command, planned.environment, self._listener
            )
        except OSError as error:
            self._listener(planned.name, f"cannot be started: {error.strerror}")
            return _NOT_STARTED
        self._running[planned.name] = process
        self._on_change()
        status = await process.wait()
        del self._running[planned.name]
        self._on_change()
        # Its replacement need not wait for the orphans to end.
        clear_up = asyncio.create_task(process.clear_up())
        self._clear_ups.add(clear_up)
        clear_up.add_done_callback(self._clear_ups.discard)
        return status


async def _settled(tasks: Iterable[asyncio.Task[None]], seconds: float | None = None) -> None:
    """Wait until every task has ended, in whatever way, or the time is up."""
    pending = list(tasks)
    if pending:
        await asyncio.wait(pending, timeout=seconds)
