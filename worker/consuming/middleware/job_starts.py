"""Job starts: recorded before the work, or, of what changes nothing but its result, while it lasts.

To record a start is a round trip, and a quarter of what Redis does for a hash.
"""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import Final

from dramatiq import Broker, MessageProxy
from dramatiq.middleware import Middleware, SkipMessage

from catfeeder.clock import utc_now
from catfeeder.messages import CATALOGUE, PASSWORDS
from catfeeder.queue.encoder import find_key
from catfeeder.queue.jobs.store import JobRun, JobStore
from worker.consuming.middleware.broker_retries import retry_until_broker_returns

#: Who cancels a job has mostly waited for it longer. An older one is asked for, as the work would
#: be for nothing.
_FRESH_MS: Final = 1000
#: A job that has lasted so long is recorded as running, with the next heartbeat.
_LASTING: Final = timedelta(seconds=0.5)

#: By redis_message_id, the jobs of this process whose start Redis has not been told.
UnrecordedStarts = dict[str, JobRun]


def describe_run(message: MessageProxy) -> JobRun:
    """Return what a job's record is changed by."""
    options = message.options
    return JobRun(
        message.message_id, message.actor_name, options["redis_message_id"], find_key(options)
    )


class JobStarts(Middleware):
    """Starts each job once; `JobResults` ends it."""

    def __init__(self, jobs: JobStore, unrecorded: UnrecordedStarts) -> None:
        self._jobs = jobs
        self._unrecorded = unrecorded

    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:  # noqa: ARG002
        """Record that the message's job has started, if it is a job.

        Without Redis it is unknown whether the job was cancelled or has ended in another worker,
        and its result could reach no caller. So the thread waits for Redis.

        Raises:
            SkipMessage: It was cancelled, or has ended in another worker.
        """
        if not CATALOGUE[message.actor_name].is_job:
            return
        run, now = describe_run(message), utc_now()
        if _may_wait(message):
            self._unrecorded[run.redis_message_id] = run._replace(started_at=now)
        elif not retry_until_broker_returns(lambda: self._jobs.start(run, now)):
            raise SkipMessage("The job was cancelled or has ended.")

    def record_lasting(self, now: datetime) -> None:
        """Record the start of each job that has lasted for a while.

        Raises:
            QueueUnreachable: Redis did not answer.
        """
        for run in list(self._unrecorded.values()):
            if run.started_at and now - run.started_at >= _LASTING:
                self._jobs.start(run, run.started_at)


def _may_wait(message: MessageProxy) -> bool:
    """Return whether the start may be recorded while the job lasts, or by its end alone.

    A password's job changes nothing but its own record.
    """
    age_ms = time.time() * 1000 - message.message_timestamp
    return message.queue_name == PASSWORDS and abs(age_ms) < _FRESH_MS
