"""Keeps a job's record in step with its message: it starts once, and not when it was cancelled."""

from __future__ import annotations

from dramatiq import Broker, MessageProxy
from dramatiq.middleware import Middleware, SkipMessage

from catfeeder.clock import utc_now
from catfeeder.jobs import JobStore
from catfeeder.messages import CATALOGUE
from worker.consuming.middleware.broker_retries import with_patience


class JobLife(Middleware):
    """Starts jobs; how they end is for `JobResults`."""

    def __init__(self, jobs: JobStore) -> None:
        """Take the store of the records."""
        self._jobs = jobs

    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:  # noqa: ARG002
        """Start the job, if the message is one.

        While Redis is away nobody can tell whether the job was cancelled, or has ended in other
        hands; nor could anybody be told of its result. So it waits.

        Raises:
            SkipMessage: It was cancelled, or has ended in the hands of another worker.
        """
        if CATALOGUE[message.actor_name].is_job and not with_patience(lambda: self._start(message)):
            raise SkipMessage("The job was cancelled or has ended.")

    def _start(self, message: MessageProxy) -> bool:
        job = (message.message_id, message.actor_name, message.queue_name)
        return self._jobs.start(*job, utc_now())
