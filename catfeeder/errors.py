"""The errors that every part of the service raises, each with a code that travels to the caller."""

from __future__ import annotations

import re


class CatFeederError(Exception):
    """Something went wrong in the auth worker."""

    #: False when asking again later may succeed without changing the request.
    permanent: bool = True

    def __init__(self, detail: str | None = None) -> None:
        """Take a more specific sentence than the docstring; neither may hold a secret."""
        super().__init__(detail or (type(self).__doc__ or "").strip().partition("\n")[0])

    @property
    def detail(self) -> str:
        """The sentence for people."""
        return str(self)

    @property
    def code(self) -> str:
        """The name for programs: the class name in snake case, such as `password_too_long`."""
        return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(self).__name__).lower()


class SealBroken(CatFeederError):
    """These bytes were not sealed for this place with a key that this process holds."""


class QueueUnreachable(CatFeederError):
    """The queue cannot be reached: check REDIS_URL and that its server runs."""

    permanent = False


class QueueFull(QueueUnreachable):
    """The queue holds as many messages as it may: let workers work them off."""


class MessageTooLarge(CatFeederError):
    """What was asked for is too large for the queue: as a message it has more than 256 KiB."""


class InvalidQueueKey(CatFeederError):
    """The queue key is not one that `python -m worker queue-key` prints."""


class JobTimeout(CatFeederError):
    """The job did not end in the time given; it may still do so."""

    permanent = False


class JobExpired(CatFeederError):
    """The job is unknown: jobs are forgotten about an hour after they end."""


class JobCancelled(CatFeederError):
    """The job was cancelled before it started."""


class JobOutdated(CatFeederError):
    """The job waited in the queue longer than it was worth doing; ask again."""

    permanent = False


class JobFailed(CatFeederError):
    """The job failed."""

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


class InvalidApiUrl(CatFeederError):
    """The api_url is not one: it begins with https:// or http:// and a host."""


class InvalidApiKey(CatFeederError):
    """The api_key is not one: it has printable characters of ASCII alone, and no space."""


class ServiceUnreachable(CatFeederError):
    """The service did not answer over HTTP: check api_url and that it runs."""

    permanent = False


class RequestRefused(CatFeederError):
    """The service refused the request."""

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
