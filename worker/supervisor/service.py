"""Life cycle of one `make run`: broker, database and processes start, serve, drain and end."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from catfeeder.errors import QueueUnreachable
from config import Settings
from worker.boot import VARIABLE
from worker.errors import ServiceUnhealthy, ValkeyFailed
from worker.supervisor.addresses import check_address
from worker.supervisor.drain import drain_queues
from worker.supervisor.forking import ForkServer
from worker.supervisor.guardian import Guardian
from worker.supervisor.health import read_health_status
from worker.supervisor.output import LineHandler
from worker.supervisor.plan import WEB, plan_processes, plan_publishing, web_ports
from worker.supervisor.stores import (
    PUBLISHING,
    announce_ready,
    announce_stop,
    begin_generation,
    check_broker,
    is_shutdown_requested,
    publish_queue_keys,
)
from worker.supervisor.supervisor import Supervisor
from worker.supervisor.valkey.embedded import EmbeddedValkey

#: Dramatiq applies the Procfile's --grace twice: to workers, then consumers.
WORKER_GRACE_SECONDS: Final = 45.0
_WEB_GRACE_SECONDS: Final = 10.0

_HEAD_START_SECONDS: Final = 1.0
_HEALTHY_SECONDS: Final = 60.0
_HEALTH_POLL_SECONDS: Final = 0.005
#: Each look opens the database anew; twice as often would be a tenth of the idle stack's CPU time.
_STOP_POLL_SECONDS: Final = 1.0


class Service:
    """The processes of the Procfile with the broker and the database under them."""

    def __init__(
        self,
        settings: Settings,
        commands: Mapping[str, str],
        on_line: LineHandler,
        fork_server: ForkServer | None = None,
    ) -> None:
        """Start the guardian alone.

        `commands` are the Procfile's; `on_line` gets what the processes print, and what happens.
        """
        self._settings = settings
        self._commands = commands
        self._on_line = on_line
        self._stopping = asyncio.Event()
        self._guardian = Guardian()
        self._fork_server = fork_server
        self._supervisor = Supervisor(on_line, self._inform_guardian, fork_server=self._fork_server)
        self._valkey = EmbeddedValkey(
            settings.var_dir, report=self._report, is_wanted=lambda: not self.is_stopping
        )
        self._redis_url = ""
        self._generation = 0

    @property
    def is_stopping(self) -> bool:
        """Whether a stop was requested."""
        return self._stopping.is_set()

    def request_stop(self) -> None:
        """Make `start` and `serve` return."""
        self._stopping.set()

    async def start(self) -> None:
        """Return once the service is healthy, or when a stop is requested before.

        Raises:
            CatFeederError: A part cannot start; the message names the setting.
        """
        for port in web_ports(self._settings):
            check_address(self._settings.host, port)
        # In threads: a stop is heard while a large file is read back, or tables are changed.
        self._redis_url = await asyncio.to_thread(self._open_broker)
        self._inform_guardian()
        if not self.is_stopping:
            self._generation = await asyncio.to_thread(begin_generation, self._settings)
        if not self.is_stopping:
            await self._start_processes()

    async def serve(self) -> None:
        """Return when a stop is requested, by `request_stop` or by a shutdown job.

        Raises:
            ServiceUnhealthy: A process has never worked since the start.
        """
        while not self.is_stopping:
            await self._hear_shutdown()
            self._check_processes()
            await self._restart_dead_valkey()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), _STOP_POLL_SECONDS)

    async def drain(self) -> None:
        """Refuse new work, let accepted jobs end, then end the processes."""
        self._report("Stopping: new work is refused, jobs in flight are finished.")
        await asyncio.to_thread(announce_stop, self._generation)
        web = self._supervisor.names(WEB)
        workers = set(self._supervisor.names()) - set(web)
        if workers:
            await self._await_jobs()
        await self._supervisor.stop(workers, WORKER_GRACE_SECONDS)
        await self._supervisor.stop(web, _WEB_GRACE_SECONDS)

    async def end(self) -> None:
        """End at once whatever still runs, the broker last, and leave nothing behind."""
        await self._end_fork_server()
        await self._supervisor.stop(self._supervisor.names(), 0)
        self._valkey.stop()
        self._guardian.stop()

    def _open_broker(self) -> str:
        if self._settings.redis_url is not None:
            check_broker(self._settings.redis_url)
            return self._settings.redis_url
        self._valkey.start()
        return self._valkey.url

    async def _publish_queue_keys(self) -> None:
        """Publish by a process that has loaded the client of Redis, which this one seldom needs."""
        environment = plan_publishing(self._settings, self._redis_url)
        server = self._fork_server
        if server is None or not await server.call(PUBLISHING, environment):
            await asyncio.to_thread(publish_queue_keys, self._settings, self._redis_url)

    async def _start_processes(self) -> None:
        """Start the shim before the others, as it loads longest.

        Forks of loaded code follow at once; others would load their code on the shim's cores. The
        queue keys are published before: a process of the passwords reads them there.
        """
        boot = {VARIABLE: str(self._generation)}
        plans = list(plan_processes(self._settings, self._commands, self._redis_url, boot))
        for planned in plans:
            if planned.kind == WEB:
                self._supervisor.keep_running(planned)
        if self._fork_server is None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_HEAD_START_SECONDS):
                    await self._await(self._is_web_answering)
        await self._publish_queue_keys()
        for planned in plans:
            if planned.kind != WEB and not self.is_stopping:
                self._supervisor.keep_running(planned)
        await self._await(self._is_all_ready)
        if not self.is_stopping:
            await asyncio.to_thread(announce_ready, self._generation)
        await self._await(self._is_web_healthy)
        await self._end_fork_server()

    async def _end_fork_server(self) -> None:
        if self._fork_server is not None:
            await self._fork_server.stop()

    async def _await(self, is_so: Callable[[], Awaitable[bool]]) -> None:
        """Wait until something is so, or until a stop is requested by a signal or over HTTP."""
        deadline = time.monotonic() + _HEALTHY_SECONDS
        next_look = time.monotonic()
        while not self.is_stopping and not await is_so():
            self._check_processes()
            if time.monotonic() > deadline:
                raise ServiceUnhealthy
            if time.monotonic() >= next_look:
                await self._hear_shutdown()
                next_look = time.monotonic() + _STOP_POLL_SECONDS
            await asyncio.sleep(_HEALTH_POLL_SECONDS)

    async def _hear_shutdown(self) -> None:
        if await asyncio.to_thread(is_shutdown_requested, self._generation):
            self.request_stop()

    async def _is_all_ready(self) -> bool:
        return not self._supervisor.unready

    async def _is_web_answering(self) -> bool:
        return all([await self._ask_health(port) for port in web_ports(self._settings)])

    async def _is_web_healthy(self) -> bool:
        return all([await self._ask_health(port) == 200 for port in web_ports(self._settings)])

    async def _ask_health(self, port: int) -> int | None:
        return await read_health_status(
            self._settings.host, port, self._settings.server.trusted_hosts
        )

    def _check_processes(self) -> None:
        for name in self._supervisor.crash_loops:
            raise ServiceUnhealthy(f"{name} keeps ending; what it said stands above.")

    async def _await_jobs(self) -> None:
        try:
            is_empty = await drain_queues(self._redis_url, self._settings.server.drain_seconds)
        except QueueUnreachable as error:
            self._report(f"The jobs in flight are unknown. {error}")
        else:
            if not is_empty:
                self._report("Some jobs are left; config.toml drain_seconds bounds the wait.")

    async def _restart_dead_valkey(self) -> None:
        """Start our own Valkey anew if it died or its socket was deleted.

        Its append-only file has the accepted jobs.
        """
        is_ours = self._redis_url != self._settings.redis_url
        if is_ours and not self.is_stopping and not self._valkey.is_reachable:
            has_ended = "has ended" if self._valkey.pid is None else "has lost its socket"
            self._report(f"Valkey {has_ended}; starting it anew.")
            with contextlib.suppress(ValkeyFailed):
                await asyncio.to_thread(self._valkey.restart)
            self._inform_guardian()

    def _inform_guardian(self) -> None:
        valkey = [self._valkey.pid] if self._valkey.pid else []
        self._guardian.watch([*self._supervisor.pids, *valkey])

    def _report(self, sentence: str) -> None:
        self._on_line("service", sentence)
