"""Admission control: new jobs are refused before a queue grows longer than workers can do in time.

Each worker reports how many messages it performs in a second, wherever it runs and whatever else
its machine does. A queue takes as long as its length divided by the sum over all workers. Until a
worker has reported, the sum is estimated from [Processes] of config.toml.
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
#: The part of its age that a message may spend waiting by our estimate. Jobs differ and a machine
#: may become slower; a job that is taken in and then outdated is of no use.
_WAITING_SHARE: Final = 1 / 3
#: A refused caller may come back when this part of a full queue has been worked off.
_RELIEF: Final = 0.1
#: Workers report once a second.
_CACHE_SECONDS: Final = 1.0

#: For each worker, its messages per second by queue; None for a queue that it has not served yet.
WorkerThroughputs = Sequence[Mapping[str, float | None]]


class AdmissionControl:
    """Estimates how long each queue takes, and refuses what would wait longer than it may."""

    def __init__(
        self,
        settings: Settings,
        get_depth: Callable[[str], int],
        read_throughputs: Callable[[], WorkerThroughputs],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`get_depth` returns how many messages wait on the queue of a name."""
        self._get_depth = get_depth
        self._read_throughputs = read_throughputs
        self._clock = clock
        ten_rounds = settings.processes.passwords or os.cpu_count() or 1
        self._estimates = {
            PASSWORDS: ten_rounds / (_TEN_ROUNDS_SECONDS * 2.0 ** (settings.passwords.rounds - 10)),
            OAUTH: settings.processes.oauth * _OAUTH_THREADS / _PROVIDER_SECONDS,
        }
        self._throughputs: WorkerThroughputs = ()
        self._throughputs_until = 0.0

    def refuse_excess(self, message_type: MessageType) -> None:
        """Do nothing unless a new message of this type would wait too long.

        Raises:
            QueueOverloaded: It would; `Retry-After` says when the queue will be short enough.
            QueueUnreachable: Redis did not answer.
        """
        if message_type.max_age_seconds is None or message_type.queue not in self._estimates:
            return
        depth = self._get_depth(message_type.queue)
        wait_seconds = depth / self._estimate_per_second(message_type.queue)
        limit_seconds = message_type.max_age_seconds * _WAITING_SHARE
        if wait_seconds >= limit_seconds:
            # What is too old by then is not performed, so it takes no time.
            wait_seconds = min(wait_seconds, message_type.max_age_seconds)
            retry_after = max(1, math.ceil(wait_seconds - limit_seconds * (1 - _RELIEF)))
            raise QueueOverloaded(headers={"Retry-After": str(retry_after)})

    def _estimate_per_second(self, queue: str) -> float:
        """Return how many messages of a queue all workers together perform in a second."""
        if self._clock() >= self._throughputs_until:
            self._throughputs = self._read_throughputs()
            self._throughputs_until = self._clock() + _CACHE_SECONDS
        workers = [queues[queue] for queues in self._throughputs if queue in queues]
        known = [per_second for per_second in workers if per_second]
        if not known:
            return self._estimates[queue]
        # A worker that has performed none yet is taken to be as fast as the others.
        return math.fsum(known) * len(workers) / len(known)
