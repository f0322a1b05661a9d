"""Root of errors: each has a code for programs, which travels to the caller, and a sentence."""

from __future__ import annotations

import re


class CatFeederError(Exception):
    """The root: one `except` catches whatever the service or its client raises on purpose."""

    #: The sentence for people where the raiser has no better one. It holds no secret.
    message: str = "Something went wrong in the auth worker."
    #: False when the same request may succeed later.
    permanent: bool = True
    #: False where something is out of order that an operator has to see.
    is_foreseen: bool = True

    def __init__(self, detail: str | None = None) -> None:
        """Replace `message` by a more specific `detail`, which may hold no secret either."""
        super().__init__(detail or self.message)

    @property
    def detail(self) -> str:
        """The sentence for people."""
        return str(self)

    @property
    def public_detail(self) -> str:
        """The sentence that a caller of the service gets."""
        return self.detail

    @property
    def code(self) -> str:
        """The name for programs: the class name in snake case, such as `password_too_long`."""
        return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(self).__name__).lower()


class OperatorError(CatFeederError):
    """Base of what only an operator can put right; `detail` is for the operator's log alone.

    It may name a server, a user or a file, so a caller of the service gets `public_detail`.
    """

    message = "The service cannot work as it is set up."
    permanent = False
    is_foreseen = False

    @property
    def code(self) -> str:
        """The code that a caller gets."""
        return "internal_error"

    @property
    def public_detail(self) -> str:
        """The sentence that a caller gets."""
        return "The job failed unexpectedly; the worker's log has the reason."


# -- Sealing and the queue


class SealBroken(CatFeederError):
    """Raised for sealed bytes that do not open; the sentence may say more of the reason."""

    message = "These bytes were not sealed for this place with a key that this process holds."
    is_foreseen = False


class InvalidQueueKey(CatFeederError):
    """Raised for a `queue_key` that is not one app's: `cfq_`, its id, a generation and 32 bytes."""

    message = "The queue key is not one that `python -m worker keys queue` prints: cfq_…"


class QueueUnreachable(CatFeederError):
    """Raised when Redis is away, too slow, full or read-only, or REDIS_URL leads nowhere."""

    message = "The queue cannot be reached: check REDIS_URL and that its server runs."
    permanent = False
    is_foreseen = False


class QueueUnusable(QueueUnreachable):
    """Raised when Redis answers and refuses what jobs need; the sentence says what to change."""

    message = "The Redis of REDIS_URL answers and cannot be used for jobs."


class QueueFull(QueueUnreachable):
    """Raised when one queue is at its limit, while Redis is well."""

    message = "The queue holds as many messages as it may: let workers work them off."


class MessageTooLarge(CatFeederError):
    """Raised before a message is sent that no worker would read."""

    message = (
        "What was asked for is too large for the queue: as a message it has more than 256 KiB."
    )


# -- Jobs


class JobTimeout(CatFeederError):
    """Raised when the caller's time to wait is over."""

    message = "The job did not end in the time given; it may still do so."
    permanent = False


class JobExpired(CatFeederError):
    """Raised for the id of a job that has no record any more, or never had one."""

    message = "The job is unknown: jobs are forgotten about an hour after they end."


class JobCancelled(CatFeederError):
    """Raised in place of the result of a job that its caller has cancelled."""

    message = "The job was cancelled before it started."


class JobOutdated(CatFeederError):
    """The error of a job whose message a worker took after its `max_age_seconds`."""

    message = "The job waited in the queue longer than it was worth doing; ask again."
    permanent = False


class JobFailed(CatFeederError):
    """Raised in place of a result, with the worker's code and sentence."""

    message = "The job failed."

    def __init__(self, code: str, detail: str, *, permanent: bool) -> None:
        """Carry the worker's error; `permanent` says that a repeat would fail too."""
        super().__init__(detail)
        self._code = code
        self.permanent = permanent

    @property
    def code(self) -> str:
        """The code of the worker's error."""
        return self._code


# -- The client's requests over HTTP


class ApiNotGiven(CatFeederError):
    """Raised by the verbs that the queue cannot carry, where `connect` got no `api_url`."""

    message = "This goes over HTTP: give connect() the service's api_url and an api_key."


class InvalidApiUrl(CatFeederError):
    """Raised by `connect` before anything is sent to `api_url`."""

    message = "The api_url is not one: it begins with https:// or http:// and a host."


class InvalidApiKey(CatFeederError):
    """Raised by `connect` for an `api_key` that no header could carry."""

    message = "The api_key is not one: it has printable characters of ASCII alone, and no space."


class ServiceUnreachable(CatFeederError):
    """Raised when there was no answer of the service in time."""

    message = "The service did not answer over HTTP: check api_url and that it runs."
    permanent = False


class RequestRefused(CatFeederError):
    """Raised for a problem (RFC 9457) that the service answered with."""

    message = "The service refused the request."

    def __init__(
        self, status: int, code: str, detail: str, *, permanent: bool, retry_after: float | None
    ) -> None:
        """Carry the service's answer; `retry_after` is in seconds, where the service names it."""
        super().__init__(detail)
        self._code = code
        self.status = status
        self.permanent = permanent
        self.retry_after = retry_after

    @property
    def code(self) -> str:
        """The code of the service's answer, such as `reauthorization_required`."""
        return self._code
