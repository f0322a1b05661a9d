"""Stopping: from the moment that this boot generation is told to stop, no new work is taken."""

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

_POLL_SECONDS: Final = 1.0
#: About how long a restart takes.
_RETRY_AFTER_SECONDS: Final = 5
_log: Final = logging.getLogger(__name__)


class Draining:
    """Whether this process still takes work; the database tells, or who was asked to stop."""

    def __init__(self, grace_seconds: float, on_end: Callable[[], None]) -> None:
        """Take how long waiting requests may go on waiting, and who sends them off after that."""
        self.generation = 0
        self.has_begun = False
        self._grace_seconds = grace_seconds
        self._on_end = on_end

    def begin(self) -> None:
        """Take no new work from now on."""
        if not self.has_begun:
            self.has_begun = True
            # uvicorn gives open requests a few seconds after its SIGTERM and then cuts them off.
            asyncio.get_running_loop().call_later(self._grace_seconds, self._on_end)

    def refuse_work(self) -> None:
        """Let new work pass unless the service is stopping.

        Raises:
            ServerStopping: It is.
        """
        if self.has_begun:
            raise ServerStopping(headers={"Retry-After": str(_RETRY_AFTER_SECONDS)})

    async def load_generation(self) -> None:
        """Find out which boot this process belongs to.

        Raises:
            DatabaseUnreachable: The database did not let us in.
        """
        self.generation = await run_in_reserved_thread(_connected_generation)
        await self._look()

    async def watch(self) -> None:
        """Look for the word to stop, until it comes."""
        could_look = True
        while not self.has_begun:
            await asyncio.sleep(_POLL_SECONDS)
            try:
                await self._look()
            except DatabaseUnreachable:
                if could_look:
                    _log.warning("Cannot see whether to stop: the database is away.")
                could_look = False
            else:
                could_look = True

    async def _look(self) -> None:
        if await run_in_reserved_thread(_connected_is_stopping, self.generation):
            self.begin()


def _connected_generation() -> int:
    with hold_connection():
        return current_generation()


def _connected_is_stopping(generation: int) -> bool:
    with hold_connection():
        return is_stopping(generation)
