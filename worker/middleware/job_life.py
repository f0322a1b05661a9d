"""Keeps a job's record in step with its message: it starts once, and not when it was cancelled."""

from __future__ import annotations

from dramatiq import Broker, MessageProxy
from dramatiq.middleware import Middleware, SkipMessage

from catfeeder.jobs import JobStore, utc_now
from catfeeder.messages import CATALOGUE


class JobLife(Middleware):
    """Starts jobs; how they end is for `JobResults`."""

    def __init__(self, jobs: JobStore) -> None:
        """Take the store of the records."""
        self._jobs = jobs

    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:  # noqa: ARG002
        """Start the job, if the message is one.

        Raises:
            SkipMessage: It was cancelled, or has ended in the hands of another worker.
        """
        if CATALOGUE[message.actor_name].is_job and not self._jobs.start(
            message.message_id, message.actor_name, message.queue_name, utc_now()
        ):
            raise SkipMessage("The job was cancelled or has ended.")
