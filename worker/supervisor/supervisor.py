"""Supervisor: keeps child processes running, replaces those that end, and stops them in order."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Iterable
from functools import partial
from typing import Final

from worker.supervisor.forking import ForkServer
from worker.supervisor.output import LineHandler
from worker.supervisor.plan import PlannedProcess
from worker.supervisor.processes import ServiceProcess, start_process
from worker.supervisor.restarts import RestartHistory, RestartPolicy

#: What a shell reports for a command that it cannot start.
_NOT_STARTED: Final = 126


class Supervisor:
    """The processes of one service, by name; each is replaced until it is stopped."""

    def __init__(
        self,
        on_line: LineHandler,
        on_change: Callable[[], None],
        policy: RestartPolicy | None = None,
        fork_server: ForkServer | None = None,
    ) -> None:
        """Keep no process yet; the first ones of ours are to be forked by the `fork_server`.

        `on_line` gets each line of each process; `on_change` is called when one starts or ends.
        """
        self._on_line = on_line
        self._on_change = on_change
        self._policy = policy or RestartPolicy()
        self._fork_server = fork_server
        self._plans: dict[str, PlannedProcess] = {}
        self._histories: dict[str, RestartHistory] = {}
        self._keeping: dict[str, asyncio.Task[None]] = {}
        self._running: dict[str, ServiceProcess] = {}
        self._ready: set[str] = set()
        self._stopping: set[str] = set()
        self._cleaning: set[asyncio.Task[None]] = set()

    @property
    def pids(self) -> list[int]:
        """The leaders that run now."""
        return [process.pid for process in self._running.values()]

    @property
    def crash_loops(self) -> list[str]:
        """The processes that have ended with an error at each of their first starts."""
        return [name for name, history in self._histories.items() if history.is_crash_loop]

    @property
    def unready(self) -> set[str]:
        """The processes that have not been ready yet since `keep_running`."""
        return self._plans.keys() - self._ready

    def names(self, kind: str | None = None) -> list[str]:
        """Return the processes that have not been stopped, of one kind or of all."""
        return [
            name
            for name, keeping in self._keeping.items()
            if not keeping.done() and kind in (None, self._plans[name].kind)
        ]

    def keep_running(self, planned: PlannedProcess) -> None:
        """Start a process, and replace it whenever it ends."""
        self._plans[planned.name] = planned
        self._histories[planned.name] = RestartHistory(self._policy)
        self._keeping[planned.name] = asyncio.create_task(self._keep_running(planned))

    async def stop(self, names: Collection[str], grace_seconds: float) -> None:
        """Send SIGTERM to all of the processes, and SIGKILL to the rest after `grace_seconds`."""
        for name in names:
            self._request_end(name)
        # Waiting, unlike gathering, leaves the tasks be when a second signal cancels us.
        await _wait_for([self._keeping[name] for name in names], grace_seconds)
        for name in names:
            if name in self._running:
                self._running[name].kill()
        await _wait_for([self._keeping[name] for name in names])
        await _wait_for(self._cleaning)

    def _request_end(self, name: str) -> None:
        self._stopping.add(name)
        if name in self._running:
            self._running[name].terminate()
        else:
            # The start is still to come or has just begun; asyncio kills a process it has begun.
            self._keeping[name].cancel()

    async def _keep_running(self, planned: PlannedProcess) -> None:
        name = planned.name
        while name not in self._stopping:
            began_at = time.monotonic()
            status = await self._run_to_end(planned)
            planned = planned.mark_restarted()
            if name not in self._stopping:
                delay = self._histories[name].add_end(status, time.monotonic() - began_at)
                end = f"killed by signal {-status}" if status < 0 else f"ended with status {status}"
                self._on_line(name, f"{end}; started anew in {delay:g} s")
                await asyncio.sleep(delay)

    async def _run_to_end(self, planned: PlannedProcess) -> int:
        """Run a process once and return its status, negative for a signal."""
        try:
            add_ready = partial(self._ready.add, planned.name)
            process = await start_process(
                planned.name,
                planned.command,
                planned.environment,
                self._on_line,
                add_ready if planned.announces else None,
                fork_server=self._fork_server,
            )
        except OSError as error:
            self._on_line(planned.name, f"cannot be started: {error.strerror}")
            return _NOT_STARTED
        self._running[planned.name] = process
        if not planned.announces:
            self._ready.add(planned.name)
        self._on_change()
        status = await process.wait()
        del self._running[planned.name]
        self._on_change()
        # Its replacement need not wait for the orphans to end.
        cleaning = asyncio.create_task(process.clean_up(self._policy.orphan_seconds))
        self._cleaning.add(cleaning)
        cleaning.add_done_callback(self._cleaning.discard)
        return status


async def _wait_for(tasks: Iterable[asyncio.Task[None]], seconds: float | None = None) -> None:
    """Wait until every task has ended, in whatever way, or the time is up."""
    pending = list(tasks)
    if pending:
        await asyncio.wait(pending, timeout=seconds)
