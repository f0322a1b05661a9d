"""Where Dramatiq's `Results` puts what an actor returned or raised: into the job's record."""

from __future__ import annotations

from typing import Any, Final

from dramatiq import MessageProxy
from dramatiq.middleware import SkipMessage
from dramatiq.results import ResultBackend

from catfeeder.clock import utc_now
from catfeeder.errors import CatFeederError, JobOutdated
from catfeeder.jobs import JobError, JobStore
from catfeeder.lua_scripts import Call
from worker.consuming.middleware.broker_retries import with_patience

_INTERNAL_ERROR: Final = JobError(
    "internal_error",
    "The job failed unexpectedly; the worker's log has the reason.",
    permanent=False,
)
#: Its own sentence names the server, which is not for callers.
_DATABASE_UNREACHABLE: Final = JobError(
    "database_unreachable", "The service cannot reach its database at the moment.", permanent=False
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
        end = self._jobs.succeeding(message.message_id, result, utc_now())
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
            return JobError(exception.code, exception.detail, exception.permanent)
        # The only middleware that fails a message instead of performing it is the age limit.
        case SkipMessage():
            return told(JobOutdated())
        case _:
            return _told_of_unforeseen(exception)


def _told_of_unforeseen(exception: BaseException) -> JobError:
    # Here alone: who hashes passwords loads no tables, and so nothing that stands beside them.
    from models.db.errors import DatabaseUnreachable

    if isinstance(exception, DatabaseUnreachable):
        return _DATABASE_UNREACHABLE
    return _INTERNAL_ERROR
