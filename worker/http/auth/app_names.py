"""Names of apps, for the policy: cached, since the password routes read no row for a request."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Final

from actors.apps.settings import AppTampered, AppUnknown, read_app_name
from catfeeder.queue.requester import acting_app, app_name
from models.db.errors import DatabaseUnreachable
from worker.http.asgi.threads import run_with_database

#: How long an app's former name may go on to count.
_CACHE_SECONDS: Final = 5.0


class AppNames:
    """Maps an app's id to its name."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._names: dict[str, tuple[str | None, float]] = {}

    async def note(self) -> None:
        """Let the name of the acting app count for the rest of the request.

        While the database is away, the name that was read last does.
        """
        app_name.set(await self._find(acting_app.get()))

    async def _find(self, app: str) -> str | None:
        name, until = self._names.get(app, (None, 0.0))
        if until > self._clock():
            return name
        if app in self._names:
            # One request reads it again; others need not wait for that.
            self._names[app] = name, self._clock() + _CACHE_SECONDS
        with contextlib.suppress(AppUnknown, AppTampered, DatabaseUnreachable):
            name = await run_with_database(read_app_name, app)
        self._names[app] = name, self._clock() + _CACHE_SECONDS
        return name
