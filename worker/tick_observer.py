"""Stalled ticks: those that stand still, as a clock that was set back may leave them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from catfeeder.messages import MessageType
from worker.schedule import Schedule

#: By how much a scheduler may be late that ticks once a second.
_STALLED_SLACK: Final = timedelta(seconds=5)


class TickObserver:
    """Finds ticks that stand still, as no live scheduler lets them, without comparing two clocks.

    A tick far ahead may be that of a scheduler whose clock is ahead, and which claims it in time.
    It may also be left by a clock that was set back since, or by a longer interval of before.
    """

    def __init__(self) -> None:
        #: By cron, its next tick and since when that has been seen, by the own clock.
        self._seen: dict[str, tuple[datetime, datetime]] = {}

    def find_stalled(
        self, known: Mapping[str, datetime], lines: Schedule, now: datetime
    ) -> dict[MessageType, datetime]:
        """Return the ticks that have not changed for their interval, by their messages."""
        for name, next_at in known.items():
            seen_at, since = self._seen.get(name, (next_at, now))
            if seen_at != next_at or since > now:
                since = now
            self._seen[name] = next_at, since
        return {
            message: known[message.name]
            for message, interval in lines.items()
            if message.name in known
            and now - self._seen[message.name][1] >= interval + _STALLED_SLACK
        }
