"""Request coalescing of discoveries: sign-ins that need the same issuer's metadata wait for one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from catfeeder.queue.requester import acting_app


class Discoveries:
    """The discoveries of one process that are in progress."""

    def __init__(self) -> None:
        self._running: Final[dict[tuple[str, str], asyncio.Future[None]]] = {}

    async def run(self, provider: str, discover: Callable[[], Awaitable[None]]) -> None:
        """Wait for the provider's discovery in progress, or begin one; its errors are raised."""
        key = acting_app.get(), provider
        running = self._running.get(key)
        if running is None:
            running = asyncio.ensure_future(discover())
            self._running[key] = running
            running.add_done_callback(lambda _: self._running.pop(key, None))
        # A caller that goes away ends no other caller's discovery.
        await asyncio.shield(running)
