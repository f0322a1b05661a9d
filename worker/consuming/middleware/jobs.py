"""Job results: kept in a job's record, in step with its message, as its result or error."""

from __future__ import annotations

from typing import Any, Final

from dramatiq import MessageProxy
from dramatiq.middleware import SkipMessage
from dramatiq.results import ResultBackend

from catfeeder.clock import utc_now
from catfeeder.errors import CatFeederError, JobOutdated, OperatorError
from catfeeder.messages import CATALOGUE
from catfeeder.queue.jobs.store import JobError, JobRun, JobStore
from catfeeder.queue.lua_scripts import Call
from worker.consuming.middleware.broker_retries import retry_until_broker_returns
from worker.consuming.middleware.job_starts import UnrecordedStarts, describe_run

_UNEXPECTED: Final = OperatorError()
_INTERNAL_ERROR: Final = JobError(
    _UNEXPECTED.code, _UNEXPECTED.public_detail, _UNEXPECTED.permanent
)

#: By redis_message_id, the call that ends the job of a message.
JobEndings = dict[str, Call]


class JobResults(ResultBackend):
    """Where Dramatiq's `Results` stores results and errors; `JobStore` alone reads them."""

    def __init__(self, jobs: JobStore, endings: JobEndings, unrecorded: UnrecordedStarts) -> None:
        """Fill `endings`; the end of a job whose start is `unrecorded` tells it."""
        super().__init__()
        self._jobs = jobs
        self._endings = endings
        self._unrecorded = unrecorded

    def store_result(self, message: MessageProxy, result: Any, ttl: int) -> None:  # noqa: ARG002
        """Note that the job succeeded, for the acknowledgement that follows in one round trip.

        The acknowledgement waits for an unreachable broker. The record has a TTL of its own.
        """
        ending = self._jobs.build_success(self._run_of(message), result, utc_now())
        self._endings[message.options["redis_message_id"]] = ending

    def store_exception(
        self,
        message: MessageProxy,
        exception: Exception,
        ttl: int,  # noqa: ARG002
    ) -> None:
        """End the job as failed, with what the caller may read of the error."""
        error, run = to_job_error(exception), self._run_of(message)
        retry_until_broker_returns(lambda: self._jobs.fail(run, error, utc_now()))

    def _run_of(self, message: MessageProxy) -> JobRun:
        unrecorded = self._unrecorded.pop(message.options["redis_message_id"], None)
        return unrecorded or describe_run(message)


def is_refusal(message: MessageProxy, exception: BaseException) -> bool:
    """Return whether a job failed as foreseen, so that its caller alone has something to do."""
    known = CATALOGUE.get(message.actor_name)
    if known is None or not known.is_job:
        return False
    # The age limit refuses what no caller waits for any more.
    return isinstance(exception, SkipMessage) or (
        isinstance(exception, CatFeederError) and exception.is_foreseen
    )


def to_job_error(exception: BaseException) -> JobError:
    """Return what a caller may read of an exception: code and sentence, without secrets."""
    match exception:
        case CatFeederError():
            return JobError(exception.code, exception.public_detail, exception.permanent)
        # The only middleware that fails a message instead of performing it is the age limit.
        case SkipMessage():
            return to_job_error(JobOutdated())
        case _:
            return _INTERNAL_ERROR
