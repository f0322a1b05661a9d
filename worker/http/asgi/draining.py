"""Draining: once this boot generation stops, the process takes no new work and ends its waits."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from catfeeder.clock import utc_now
from models.db.database import hold_connection
from models.db.errors import DatabaseUnreachable
from worker.boot import REMEDY, Boot, find_boot
from worker.http.asgi.threads import run_in_reserved_thread
from worker.http.errors.refusals import ServerStopping

#: How often a process polls the database for the stop of its generation.
POLL_SECONDS: Final = 1.0
#: About how long a restart takes.
_RETRY_AFTER_SECONDS: Final = 5
_log: Final = logging.getLogger(__name__)


class Draining:
    """Whether this process still takes work, by the database or by the process's own shutdown."""

    def __init__(
        self,
        grace_seconds: float,
        end_waits: Callable[[], None],
        poll_seconds: float = POLL_SECONDS,
        resume_waits: Callable[[], None] = lambda: None,
    ) -> None:
        """`end_waits` is called `grace_seconds` after draining has begun.

        `resume_waits` is called when a newer boot has taken the shutdown back.
        """
        self.boot = Boot(0, is_supervised=False)
        self.has_begun = False
        self._was_stopped = False
        self._grace_seconds = grace_seconds
        self._end_waits = end_waits
        self._resume_waits = resume_waits
        self._poll_seconds = poll_seconds
        self._ending: asyncio.TimerHandle | None = None

    @property
    def generation(self) -> int:
        """The boot generation that this process belongs to."""
        return self.boot.generation

    def begin(self, generation: int = 0) -> None:
        """Take no new work from now on, or until there is a boot after `generation`."""
        if not self.boot.is_supervised:
            self.boot.generation = max(self.boot.generation, generation)
        if not self.has_begun:
            self.has_begun = True
            # uvicorn gives open requests a few seconds after its SIGTERM and then cuts them off.
            loop = asyncio.get_running_loop()
            self._ending = loop.call_later(self._grace_seconds, self._end_waits)

    def refuse_work(self) -> None:
        """Do nothing unless the service is stopping.

        Raises:
            ServerStopping: The service is stopping; `Retry-After` is about a restart's length.
        """
        if self.has_begun:
            raise ServerStopping(headers={"Retry-After": str(_RETRY_AFTER_SECONDS)})

    async def load_generation(self) -> None:
        """Read from the database which boot generation this process belongs to.

        Raises:
            DatabaseUnreachable: The database did not accept a connection.
        """
        self.boot = await run_in_reserved_thread(_read_boot)
        await self._poll()

    async def is_ready(self) -> bool:
        """Return whether every process of the boot was ready once; false without a database."""
        try:
            return self.boot.is_ready or await run_in_reserved_thread(_hold, self.boot.find_ready)
        except DatabaseUnreachable:
            return False

    async def watch(self) -> None:
        """Poll until cancelled; log once when the database goes away."""
        is_database_up = True
        while True:
            await asyncio.sleep(self._poll_seconds)
            try:
                await self._poll()
            except DatabaseUnreachable:
                if is_database_up:
                    _log.warning("Cannot see whether to stop: the database is away.")
                is_database_up = False
            else:
                is_database_up = True

    async def _poll(self) -> None:
        if self.has_begun and await run_in_reserved_thread(_hold, self.boot.join_newer):
            self._resume()
        elif not self._was_stopped and await run_in_reserved_thread(_hold, self.boot.is_stopping):
            self._was_stopped = True
            self.begin()
            if not self.boot.is_supervised:
                # Its own supervisor says so itself, and ends the process.
                text = "The service was shut down in boot %d: this process takes no work. %s."
                _log.warning(text, self.generation, REMEDY)

    def _resume(self) -> None:
        self._was_stopped = self.has_begun = False
        if self._ending is not None:
            self._ending.cancel()
        self._resume_waits()
        _log.warning("Boot %d has begun: this process takes work again.", self.generation)


def _read_boot() -> Boot:
    with hold_connection():
        return find_boot(utc_now())


def _hold(ask: Callable[[], bool]) -> bool:
    with hold_connection():
        return ask()
