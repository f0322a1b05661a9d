"""Refusing work that could not be done in time, before it makes everybody else's late too.

The estimate: a queue is worked off by as many hands as [Processes] of config.toml gives it, each
taking as long for a job as the latest jobs took that this process saw end. Workers that config.toml
does not know of, on other machines, make the wait shorter than estimated.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from typing import Final

from catfeeder.jobs import JobRecord
from catfeeder.messages import OAUTH, PASSWORDS, MessageType
from config import Settings
from worker.http.refusals import QueueOverloaded

#: Threads of one oauth process, as the Procfile has them; a passwords process has one.
_OAUTH_THREADS: Final = 16
#: What a hash of 10 rounds takes on a slow core, until real jobs have told better.
_TEN_ROUNDS_SECONDS: Final = 0.2
_PROVIDER_SECONDS: Final = 1.0
#: How much one more job changes the estimate.
_WEIGHT: Final = 0.05
#: Who is refused may come back when this part of the queue has been worked off.
_RELIEF: Final = 0.1


class Overload:
    """Knows about how long the queues take, and refuses what would wait longer than it may."""

    def __init__(self, settings: Settings, depth: Callable[[str], int]) -> None:
        """Take how to count the messages that wait in a queue."""
        self._depth = depth
        self._hands = {
            PASSWORDS: settings.processes.passwords or os.cpu_count() or 1,
            OAUTH: settings.processes.oauth * _OAUTH_THREADS,
        }
        self._job_seconds = {
            PASSWORDS: _TEN_ROUNDS_SECONDS * 2.0 ** (settings.passwords.rounds - 10),
            OAUTH: _PROVIDER_SECONDS,
        }

    def learn(self, record: JobRecord) -> None:
        """Let an ended job that this process came to see improve the estimate."""
        known = self._job_seconds.get(record.queue)
        if known is not None and record.started_at and record.finished_at:
            took = (record.finished_at - record.started_at).total_seconds()
            self._job_seconds[record.queue] = known + _WEIGHT * (took - known)

    def refuse_excess(self, message_type: MessageType) -> None:
        """Let a new message pass unless it would grow old in its queue.

        Raises:
            QueueOverloaded: It would.
            QueueUnreachable: Redis did not answer.
        """
        if message_type.max_age_seconds is None or message_type.queue not in self._hands:
            return
        pace = self._job_seconds[message_type.queue] / self._hands[message_type.queue]
        wait_seconds = self._depth(message_type.queue) * pace
        if wait_seconds >= message_type.max_age_seconds:
            relief = max(1, math.ceil(wait_seconds * _RELIEF))
            raise QueueOverloaded(headers={"Retry-After": str(relief)})
