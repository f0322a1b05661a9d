"""Admission control: new jobs are refused before they would wait longer than they may.

A job is weighed by what it costs (`actors.passwords.costs`): one of 16 rounds takes as long as 64
of 10, and Argon2id as long as its passes over its memory. Each worker reports how much of that it
does in a second, wherever it runs and whatever else its machine does. Workers serve apps in turn,
so an app's jobs take as long as what it has waiting divided by its share: all that the workers do
while it is alone, and less for each other app that has jobs waiting. No app is refused for what
another one has asked for.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from actors.passwords.costs import estimate_cost
from catfeeder.messages import OAUTH, PASSWORDS, MessageType
from config import Settings
from worker.http.errors.refusals import QueueOverloaded
from worker.http.jobs.backlogs import BacklogCache

#: Threads of one oauth process, as the Procfile has them.
_OAUTH_THREADS: Final = 64
#: Assumed while no worker has ever reported: a core that takes long for a hash of ten rounds, and
#: how long a provider takes.
_SLOW_ROUNDS_PER_SECOND: Final = 1024 / 0.2
_PROVIDER_SECONDS: Final = 1.0
#: The part of its age that a message may spend waiting by our estimate. Jobs differ and a machine
#: may become slower; a job that is taken in and then outdated is of no use.
_WAITING_SHARE: Final = 1 / 3
#: A refused caller may come back when this part of a full queue has been worked off.
_RELIEF: Final = 0.1
#: Workers report once a second.
_CACHE_SECONDS: Final = 1.0
#: How old the backlog may be that a message is admitted by. What other processes take in during the
#: shorter time is a few hundredths of a second's work; the longer one is for a queue that, with all
#: that this process has sent since, is far from full.
_BACKLOG_SECONDS: Final = 0.1
_SHORT_BACKLOG_SECONDS: Final = 1.0
#: Of a queue's limit: a queue below it is far from full.
_SHORT: Final = 0.1

#: For each worker, the cost that it performs per second by queue; None for a queue that it has not
#: served yet.
WorkRates = Sequence[Mapping[str, float | None]]


class AdmissionControl:
    """Estimates how long each app's jobs take, and refuses what would wait longer than it may."""

    def __init__(
        self,
        settings: Settings,
        read_backlog: Callable[[str], Mapping[str, int]],
        read_rates: Callable[[], WorkRates],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`read_backlog` returns the cost of what waits on the queue of a name, by app."""
        self._passwords = settings.passwords
        self._backlogs = BacklogCache(read_backlog, clock)
        self._read_rates = read_rates
        self._clock = clock
        processes = settings.processes
        self._estimates = {
            PASSWORDS: (processes.passwords or os.cpu_count() or 1) * _SLOW_ROUNDS_PER_SECOND,
            OAUTH: processes.oauth * _OAUTH_THREADS / _PROVIDER_SECONDS,
        }
        self._rates: WorkRates = ()
        self._rates_until = 0.0

    def admit(
        self,
        message_type: MessageType,
        app: str,
        arguments: Mapping[str, Any],
        *,
        may_ask: bool = True,
    ) -> int | None:
        """Return what a new message of an app costs, and count it as waiting.

        None stands for a message of which Redis must be asked first; it is, where it `may_ask`.

        Raises:
            QueueOverloaded: It would wait too long; `Retry-After` says until when.
            QueueUnreachable: Redis did not answer.
        """
        cost = estimate_cost(message_type.name, arguments, self._passwords)
        queue, max_age_seconds = message_type.queue, message_type.max_age_seconds
        if queue in self._estimates:
            if max_age_seconds is not None:
                limit_seconds = max_age_seconds * _WAITING_SHARE
                wait_seconds = self._find_wait(queue, app, limit_seconds, may_ask=may_ask)
                if wait_seconds is None:
                    return None
                _refuse_excess(wait_seconds, limit_seconds, max_age_seconds)
            self._backlogs.add(queue, app, cost)
        return cost

    def _find_wait(
        self, queue: str, app: str, limit_seconds: float, *, may_ask: bool
    ) -> float | None:
        """Return how many seconds a message waits, by what is young enough to decide by.

        None where Redis must be asked, and may not be.
        """
        age_seconds = self._backlogs.measure_age(queue)
        is_old = age_seconds >= _SHORT_BACKLOG_SECONDS or self._clock() >= self._rates_until
        if is_old and not may_ask:
            return None
        wait_seconds = self._estimate_wait(queue, app, _SHORT_BACKLOG_SECONDS)
        if wait_seconds < limit_seconds * _SHORT:
            return wait_seconds
        if age_seconds >= _BACKLOG_SECONDS and not may_ask:
            return None
        return self._estimate_wait(queue, app, _BACKLOG_SECONDS)

    def _estimate_wait(self, queue: str, app: str, age_seconds: float) -> float:
        """Return how many seconds a message of an app waits, by a backlog of that age at most."""
        backlog = self._backlogs.get(queue, age_seconds)
        own = max(0, backlog.get(app, 0))
        others = sum(cost > 0 for name, cost in backlog.items() if name != app)
        return own / (self._estimate_per_second(queue) / (1 + others))

    def _estimate_per_second(self, queue: str) -> float:
        """Return the cost that all workers of a queue together perform in a second."""
        if self._clock() >= self._rates_until:
            self._rates = self._read_rates()
            self._rates_until = self._clock() + _CACHE_SECONDS
        workers = [queues[queue] for queues in self._rates if queue in queues]
        known = [per_second for per_second in workers if per_second]
        if not known:
            return self._estimates[queue]
        # A worker that has performed none yet is taken to be as fast as the others.
        return math.fsum(known) * len(workers) / len(known)


def _refuse_excess(wait_seconds: float, limit_seconds: float, max_age_seconds: int) -> None:
    if wait_seconds >= limit_seconds:
        # What is too old by then is not performed, so it takes no time.
        wait_seconds = min(wait_seconds, max_age_seconds)
        retry_after = max(1, math.ceil(wait_seconds - limit_seconds * (1 - _RELIEF)))
        raise QueueOverloaded(headers={"Retry-After": str(retry_after)})
