"""The errors that every part of the service raises, each with a code that travels to the caller."""

from __future__ import annotations

import re


class CatFeederError(Exception):
    """Something went wrong in the auth worker."""

    #: The sentence for people, where none is given; it holds no secret.
    message: str = "Something went wrong in the auth worker."
    #: False when asking again later may succeed without changing the request.
    permanent: bool = True

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
    """The service cannot work as it is set up; `detail` is for the operator's log alone.

    It may name a server, a user or a file, so a caller of the service gets `public_detail`.
    """

    message = "The service cannot work as it is set up."
    permanent = False

    @property
    def code(self) -> str:
        """The code that a caller gets."""
        return "internal_error"

    @property
    def public_detail(self) -> str:
        """The sentence that a caller gets."""
        return "The job failed unexpectedly; the worker's log has the reason."


class SealBroken(CatFeederError):
    """These bytes were not sealed for this place with a key that this process holds."""

    message = "These bytes were not sealed for this place with a key that this process holds."


class QueueUnreachable(CatFeederError):
    """The queue cannot be reached: check REDIS_URL and that its server runs."""

    message = "The queue cannot be reached: check REDIS_URL and that its server runs."

    permanent = False


class QueueFull(QueueUnreachable):
    """The queue holds as many messages as it may: let workers work them off."""

    message = "The queue holds as many messages as it may: let workers work them off."


class MessageTooLarge(CatFeederError):
    """What was asked for is too large for the queue: as a message it has more than 256 KiB."""

    message = (
        "What was asked for is too large for the queue: as a message it has more than 256 KiB."
    )


class InvalidQueueKey(CatFeederError):
    """The queue key is not one that `python -m worker queue-key` prints."""

    message = "The queue key is not one that `python -m worker queue-key` prints."


class JobTimeout(CatFeederError):
    """The job did not end in the time given; it may still do so."""

    message = "The job did not end in the time given; it may still do so."

    permanent = False


class JobExpired(CatFeederError):
    """The job is unknown: jobs are forgotten about an hour after they end."""

    message = "The job is unknown: jobs are forgotten about an hour after they end."


class JobCancelled(CatFeederError):
    """The job was cancelled before it started."""

    message = "The job was cancelled before it started."


class JobOutdated(CatFeederError):
    """The job waited in the queue longer than it was worth doing; ask again."""

    message = "The job waited in the queue longer than it was worth doing; ask again."

    permanent = False


class JobFailed(CatFeederError):
    """The job failed."""

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


class ApiNotGiven(CatFeederError):
    """This goes over HTTP: give connect() the service's api_url and an api_key."""

    message = "This goes over HTTP: give connect() the service's api_url and an api_key."


class InvalidApiUrl(CatFeederError):
    """The api_url is not one: it begins with https:// or http:// and a host."""

    message = "The api_url is not one: it begins with https:// or http:// and a host."


class InvalidApiKey(CatFeederError):
    """The api_key is not one: it has printable characters of ASCII alone, and no space."""

    message = "The api_key is not one: it has printable characters of ASCII alone, and no space."


class ServiceUnreachable(CatFeederError):
    """The service did not answer over HTTP: check api_url and that it runs."""

    message = "The service did not answer over HTTP: check api_url and that it runs."

    permanent = False


class RequestRefused(CatFeederError):
    """The service refused the request."""

    message = "The service refused the request."

    def __init__(
        self, status: int, code: str, detail: str, *, permanent: bool, retry_after: float | None
    ) -> None:
        """Carry the service's answer (RFC 9457); `retry_after` is in seconds, if it named any."""
        super().__init__(detail)
        self._code = code
        self.status = status
        self.permanent = permanent
        self.retry_after = retry_after

    @property
    def code(self) -> str:
        """The code of the service's answer, such as `reauthorization_required`."""
        return self._code
