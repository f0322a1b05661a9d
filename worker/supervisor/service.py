"""The whole service of one `make run`: started part by part, watched, drained and ended."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping
from typing import Final

from catfeeder.errors import QueueUnreachable
from config import Settings
from worker.errors import ServiceUnhealthy, ValkeyFailed
from worker.supervisor.addresses import check_address
from worker.supervisor.drain import drain_queues
from worker.supervisor.embedded_valkey import EmbeddedValkey
from worker.supervisor.guardian import Guardian
from worker.supervisor.health import is_healthy
from worker.supervisor.plan import WEB, plan_processes, web_ports
from worker.supervisor.processes import Listener
from worker.supervisor.stores import begin_generation, check_broker, is_told_to_stop, tell_to_stop
from worker.supervisor.supervisor import Supervisor

_HEAD_START_SECONDS: Final = 1.0
_HEALTHY_SECONDS: Final = 60.0
_HEALTH_POLL_SECONDS: Final = 0.05
#: Each look opens the database anew; twice as often would be a tenth of what the idle stack takes.
_STOP_POLL_SECONDS: Final = 1.0

#: Dramatiq applies the Procfile's --grace twice: to workers, then consumers.
_WORKER_GRACE_SECONDS: Final = 45.0
_WEB_GRACE_SECONDS: Final = 10.0


class Service:
    """The processes of the Procfile with the broker and the database under them."""

    def __init__(self, settings: Settings, commands: Mapping[str, str], listener: Listener) -> None:
        """Take the Procfile's commands, and who hears what happens and what the processes say."""
        self._settings = settings
        self._commands = commands
        self._listener = listener
        self._stopping = asyncio.Event()
        self._guardian = Guardian()
        self._supervisor = Supervisor(listener, self._inform_guardian)
        self._valkey = EmbeddedValkey(settings.var_dir)
        self._redis_url = ""
        self._generation = 0

    @property
    def is_stopping(self) -> bool:
        """Whether the service was told to stop."""
        return self._stopping.is_set()

    def stop(self) -> None:
        """Make `start` and `serve` return."""
        self._stopping.set()

    async def start(self) -> None:
        """Return once the service is healthy, or when it is told to stop before.

        Raises:
            CatFeederError: A part cannot start; the message names the setting.
            ConfigurationError: So too.
        """
        for port in web_ports(self._settings):
            check_address(self._settings.host, port)
        self._redis_url = self._open_broker()
        self._generation = begin_generation(self._settings)
        await self._start_processes()

    async def serve(self) -> None:
        """Return when the service is told to stop, by `stop` or by a shutdown job.

        Raises:
            ServiceUnhealthy: A process has never worked since the start.
        """
        while not self.is_stopping:
            if await asyncio.to_thread(is_told_to_stop, self._generation):
                self.stop()
            self._check_processes()
            self._tend_valkey()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), _STOP_POLL_SECONDS)

    async def drain(self) -> None:
        """Refuse new work, let the jobs that were taken end, then end the processes."""
        self._tell("Stopping: new work is refused, jobs in hand are finished.")
        await asyncio.to_thread(tell_to_stop, self._generation)
        await self._await_jobs()
        web = self._supervisor.names(WEB)
        workers = set(self._supervisor.names()) - set(web)
        await self._supervisor.stop(workers, _WORKER_GRACE_SECONDS)
        await self._supervisor.stop(web, _WEB_GRACE_SECONDS)

    async def end(self) -> None:
        """End at once whatever still runs, the broker last, and leave nothing behind."""
        await self._supervisor.stop(self._supervisor.names(), 0)
        self._valkey.stop()
        self._guardian.dismiss()

    def _open_broker(self) -> str:
        if self._settings.redis_url is not None:
            check_broker(self._settings.redis_url)
            return self._settings.redis_url
        self._valkey.start()
        self._inform_guardian()
        return self._valkey.url

    async def _start_processes(self) -> None:
        """Start the shim before the others, as it loads longest and they would share its cores."""
        plans = list(plan_processes(self._settings, self._commands, self._redis_url))
        for planned in plans:
            if planned.kind == WEB:
                self._supervisor.keep(planned)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_HEAD_START_SECONDS):
                await self._until_healthy()
        for planned in plans:
            if planned.kind != WEB and not self.is_stopping:
                self._supervisor.keep(planned)
        await self._until_healthy()

    async def _until_healthy(self) -> None:
        deadline = time.monotonic() + _HEALTHY_SECONDS
        address = (self._settings.host, self._settings.port, self._settings.server.trusted_hosts)
        while not self.is_stopping and not await is_healthy(*address):
            self._check_processes()
            if time.monotonic() > deadline:
                raise ServiceUnhealthy
            await asyncio.sleep(_HEALTH_POLL_SECONDS)

    def _check_processes(self) -> None:
        for name in self._supervisor.hopeless:
            raise ServiceUnhealthy(f"{name} keeps ending; what it said stands above.")

    async def _await_jobs(self) -> None:
        try:
            is_empty = await drain_queues(self._redis_url, self._settings.server.drain_seconds)
        except QueueUnreachable as error:
            self._tell(f"The jobs in hand are unknown. {error}")
        else:
            if not is_empty:
                self._tell("Some jobs are left; config.toml drain_seconds bounds the wait.")

    def _tend_valkey(self) -> None:
        """Start our own Valkey anew if it died; what it had taken is in its append-only file."""
        if self._redis_url != self._settings.redis_url and self._valkey.pid is None:
            self._tell("Valkey has ended; starting it anew.")
            with contextlib.suppress(ValkeyFailed):
                self._valkey.start()
            self._inform_guardian()

    def _inform_guardian(self) -> None:
        valkey = [self._valkey.pid] if self._valkey.pid else []
        self._guardian.watch_over([*self._supervisor.pids, *valkey])

    def _tell(self, sentence: str) -> None:
        self._listener("service", sentence)
