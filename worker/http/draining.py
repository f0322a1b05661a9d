"""Stopping: from the moment that this boot generation is told to stop, no new work is taken."""

from __future__ import annotations

import asyncio
import logging
import math
import threading
import time
from collections.abc import Callable
from typing import Final

from models.database import connected
from models.errors import DatabaseUnreachable
from models.server import await_stop, current_generation, is_latest_stopping
from worker.http.refusals import ServerStopping
from worker.http.threads import in_own_thread

_RETRY_SECONDS: Final = 1.0
#: What fails again within this time is the same outage, of which nobody need be told twice.
_OUTAGE_SECONDS: Final = 30.0
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

    async def learn_generation(self) -> None:
        """Find out which boot this process belongs to.

        Raises:
            DatabaseUnreachable: The database did not let us in.
        """
        self.generation, is_told = await in_own_thread(_connected_generation)
        if is_told:
            self.begin()

    async def watch(self) -> None:
        """Look for the word to stop, until it comes."""
        ending = threading.Event()
        try:
            await self._watch(ending)
        finally:
            ending.set()

    async def _watch(self, ending: threading.Event) -> None:
        lost_at = -math.inf
        while not self.has_begun:
            try:
                if await in_own_thread(await_stop, self.generation, ending):
                    self.begin()
            except DatabaseUnreachable:
                now = time.monotonic()
                if now - lost_at > _OUTAGE_SECONDS:
                    _log.warning("Cannot see whether to stop: the database is away.")
                lost_at = now
                await asyncio.sleep(_RETRY_SECONDS)


def _connected_generation() -> tuple[int, bool]:
    with connected():
        return current_generation(), is_latest_stopping()
