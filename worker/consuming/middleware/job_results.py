"""Where Dramatiq's `Results` puts what an actor returned or raised: into the job's record."""

from __future__ import annotations

from typing import Any, Final

from dramatiq import MessageProxy
from dramatiq.middleware import SkipMessage
from dramatiq.results import ResultBackend

from catfeeder.clock import utc_now
from catfeeder.errors import CatFeederError, JobOutdated, OperatorError
from catfeeder.jobs import JobError, JobStore
from catfeeder.lua_scripts import Call
from worker.consuming.middleware.broker_retries import with_patience

_UNFORESEEN: Final = OperatorError()
_INTERNAL_ERROR: Final = JobError(
    _UNFORESEEN.code, _UNFORESEEN.public_detail, _UNFORESEEN.permanent
)

#: By the id of a message on its queue, the call that ends its job.
Ends = dict[str, Call]


class JobResults(ResultBackend):
    """Writes results and errors; they are read by `JobStore` alone."""

    def __init__(self, jobs: JobStore, ends: Ends) -> None:
        """Take the store of the records, and where the ends are noted that come with the acks."""
        super().__init__()
        self._jobs = jobs
        self._ends = ends

    def store_result(self, message: MessageProxy, result: Any, ttl: int) -> None:  # noqa: ARG002
        """Let the job end as succeeded in one round trip with the message's acknowledgement.

        That follows at once, and waits for a broker that is away. The record has its own TTL.
        """
        end = self._jobs.build_success(message.message_id, result, utc_now())
        self._ends[message.options["redis_message_id"]] = end

    def store_exception(
        self,
        message: MessageProxy,
        exception: Exception,
        ttl: int,  # noqa: ARG002
    ) -> None:
        """End the job as failed, saying no more than the error means to be told."""
        error = told(exception)
        with_patience(lambda: self._jobs.fail(message.message_id, error, utc_now()))


def told(exception: BaseException) -> JobError:
    """Return what the caller is told of an exception."""
    match exception:
        case CatFeederError():
            return JobError(exception.code, exception.public_detail, exception.permanent)
        # The only middleware that fails a message instead of performing it is the age limit.
        case SkipMessage():
            return told(JobOutdated())
        case _:
            return _INTERNAL_ERROR
