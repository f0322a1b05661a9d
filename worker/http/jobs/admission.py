"""Refusing work that could not be done in time, before it makes everybody else's late too.

Each worker tells how many messages it performs in a second, wherever it runs and whatever else its
machine does; a queue takes as long as its length divided by what all of them do. Until one has
told, it is estimated from [Processes] of config.toml.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from catfeeder.messages import OAUTH, PASSWORDS, MessageType
from config import Settings
from worker.http.errors.refusals import QueueOverloaded

#: Threads of one oauth process, as the Procfile has them; a passwords process has one.
_OAUTH_THREADS: Final = 64
#: What a hash of 10 rounds takes on a slow core, and a call to a provider.
_TEN_ROUNDS_SECONDS: Final = 0.2
_PROVIDER_SECONDS: Final = 1.0
#: The part of its age that a message may spend waiting by our estimate: jobs differ, a machine may
#: become slower, and nobody is served by one that is taken in and then outdated.
_SHARE: Final = 1 / 3
#: Who is refused may come back when this part of a full queue has been worked off.
_RELIEF: Final = 0.1
#: Workers tell once a second.
_CACHE_SECONDS: Final = 1.0

#: Of each worker, how many messages of each of its queues it performs in a second, if it knows.
WorkerThroughputs = Sequence[Mapping[str, float | None]]


class AdmissionControl:
    """Knows about how long the queues take, and refuses what would wait longer than it may."""

    def __init__(
        self,
        settings: Settings,
        depth: Callable[[str], int],
        paces: Callable[[], WorkerThroughputs],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take how to count the messages that wait in a queue, what workers tell, and the clock."""
        self._depth = depth
        self._paces = paces
        self._clock = clock
        ten_rounds = settings.processes.passwords or os.cpu_count() or 1
        self._expected = {
            PASSWORDS: ten_rounds / (_TEN_ROUNDS_SECONDS * 2.0 ** (settings.passwords.rounds - 10)),
            OAUTH: settings.processes.oauth * _OAUTH_THREADS / _PROVIDER_SECONDS,
        }
        self._told: WorkerThroughputs = ()
        self._told_until = 0.0

    def refuse_excess(self, message_type: MessageType) -> None:
        """Let a new message pass unless it would grow old in its queue.

        Raises:
            QueueOverloaded: It would; Retry-After says when the queue will be short enough.
            QueueUnreachable: Redis did not answer.
        """
        if message_type.max_age_seconds is None or message_type.queue not in self._expected:
            return
        wait_seconds = self._depth(message_type.queue) / self._per_second(message_type.queue)
        longest = message_type.max_age_seconds * _SHARE
        if wait_seconds >= longest:
            # What is too old by then is not performed, so it takes no time.
            wait_seconds = min(wait_seconds, message_type.max_age_seconds)
            relief = max(1, math.ceil(wait_seconds - longest * (1 - _RELIEF)))
            raise QueueOverloaded(headers={"Retry-After": str(relief)})

    def _per_second(self, queue: str) -> float:
        """Return how many messages of a queue are performed in a second."""
        if self._clock() >= self._told_until:
            self._told = self._paces()
            self._told_until = self._clock() + _CACHE_SECONDS
        workers = [told[queue] for told in self._told if queue in told]
        known = [pace for pace in workers if pace]
        if not known:
            return self._expected[queue]
        # Who has performed none yet is no slower than the others.
        return math.fsum(known) * len(workers) / len(known)
