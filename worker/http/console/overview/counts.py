"""Counts that cost the database: refreshed in the background, by how long they take.

A page never waits for them beyond a moment. With a million connections the count by status takes
some hundred milliseconds, and no page, but one task of this process pays for it, while pages are
looked at: at most a twentieth of the time of one database connection.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from actors.events.kinds import EventKind
from catfeeder.clock import utc_now
from catfeeder.errors import CatFeederError
from models.events import TAB_EVENTS
from models.oauth.connections import TAB_CONNECTIONS, ConnectionStatus
from worker.http.asgi.threads import run_with_database

_LOG = logging.getLogger(__name__)
MINUTES: Final = 60
_MINUTE: Final = timedelta(minutes=1)
#: An event of an earlier time may still be in a transaction that is open.
_SETTLED: Final = timedelta(seconds=30)
_FAILED: Final = (EventKind.RENEWAL_FAILED.value, EventKind.REAUTHORIZATION_REQUIRED.value)
_KINDS: Final = (EventKind.RENEWED.value, *_FAILED)
#: The shares of time between two counts: one is counted, the others are waited.
_REST: Final = 20
_MIN_SECONDS: Final = 2.0
_MAX_SECONDS: Final = 30.0
#: How long the first page waits for the first count.
_PATIENCE_SECONDS: Final = 0.1


class RenewalMinute(NamedTuple):
    """The renewals that ended in one minute."""

    since: datetime
    done: int
    failed: int


class Undelivered(NamedTuple):
    """How many events an app's webhook has yet to receive."""

    app: str
    events: int
    since: datetime


class Counts(NamedTuple):
    """What was counted, and when."""

    at: datetime
    connections: dict[str, int]
    renewals: list[RenewalMinute]
    undelivered: list[Undelivered]


class RenewalHistory:
    """The last hour's renewals by minute; a minute that is over is counted once."""

    def __init__(self) -> None:
        self._settled: dict[datetime, RenewalMinute] = {}

    def read(self, now: datetime) -> list[RenewalMinute]:
        """Return the last 60 minutes, the current one last."""
        current = now.replace(second=0, microsecond=0)
        starts = [current - _MINUTE * back for back in reversed(range(MINUTES))]
        minutes = [self._settled.get(start) or _count_minute(start) for start in starts]
        self._settled = {
            each.since: each for each in minutes if each.since + _MINUTE + _SETTLED <= now
        }
        return minutes


def _count_minute(start: datetime) -> RenewalMinute:
    counted = TAB_EVENTS.count_kinds(_KINDS, start, start + _MINUTE)
    failed = sum(counted.get(kind, 0) for kind in _FAILED)
    return RenewalMinute(start, counted.get(EventKind.RENEWED.value, 0), failed)


class CountCache:
    """Holds the latest counts of this process, and counts anew when that is due."""

    def __init__(self) -> None:
        self._history = RenewalHistory()
        self._latest: Counts | None = None
        self._task: asyncio.Task[None] | None = None
        self._due_at = 0.0

    async def read(self) -> Counts | None:
        """Return the latest counts; None while the first ones are counted."""
        if self._task is None and time.monotonic() >= self._due_at:
            self._task = asyncio.create_task(self._refresh())
        if self._latest is None and self._task is not None:
            with suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(self._task), _PATIENCE_SECONDS)
        return self._latest

    async def _refresh(self) -> None:
        began, is_first = time.monotonic(), self._latest is None
        try:
            self._latest = await run_with_database(self._count, utc_now())
        except CatFeederError as error:
            _LOG.debug("The overview's counts are of before: %s", error)
        finally:
            took = 0.0 if is_first else time.monotonic() - began
            rest = min(max(_MIN_SECONDS, took * _REST), _MAX_SECONDS)
            self._due_at, self._task = time.monotonic() + rest, None

    def _count(self, now: datetime) -> Counts:
        counted = TAB_CONNECTIONS.count_by_status()
        return Counts(
            at=now,
            connections={status: counted.get(status, 0) for status in ConnectionStatus},
            renewals=self._history.read(now),
            undelivered=[Undelivered(*row) for row in TAB_EVENTS.count_undelivered_by_app()],
        )
