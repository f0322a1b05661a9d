"""Draining: once this boot generation stops, the process takes no new work and ends its waits."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from models.db.database import hold_connection
from models.db.errors import DatabaseUnreachable
from models.server import current_generation, is_stopping
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
    ) -> None:
        """`end_waits` is called `grace_seconds` after draining has begun."""
        self.generation = 0
        self.has_begun = False
        self._grace_seconds = grace_seconds
        self._end_waits = end_waits
        self._poll_seconds = poll_seconds

    def begin(self) -> None:
        """Take no new work from now on."""
        if not self.has_begun:
            self.has_begun = True
            # uvicorn gives open requests a few seconds after its SIGTERM and then cuts them off.
            asyncio.get_running_loop().call_later(self._grace_seconds, self._end_waits)

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
        self.generation = await run_in_reserved_thread(_read_generation)
        await self._poll()

    async def watch(self) -> None:
        """Poll until the generation stops; log once when the database goes away."""
        is_database_up = True
        while not self.has_begun:
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
        if await run_in_reserved_thread(_read_is_stopping, self.generation):
            self.begin()


def _read_generation() -> int:
    with hold_connection():
        return current_generation()


def _read_is_stopping(generation: int) -> bool:
    with hold_connection():
        return is_stopping(generation)
