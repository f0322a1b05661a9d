"""Typed errors: each has a `code` for programs and a sentence for people, and holds no secret."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class CatFeederError(Exception):
    """The root: one `except` catches all that this package raises on purpose."""

    code = "catfeeder_error"
    #: False where the same may succeed a moment later.
    permanent = True


class ProblemAnswered(CatFeederError):
    """The service refused a request, by a problem of RFC 9457."""

    def __init__(self, status: int, problem: Mapping[str, Any], retry_after: float | None) -> None:
        super().__init__(str(problem.get("detail", "The service refused the request.")))
        self.status = status
        self.code = str(problem.get("code", "unknown"))
        self.detail = str(self)
        #: What is wrong with which field (`pointer`) or `parameter`.
        self.errors: Sequence[Mapping[str, str]] = problem.get("errors", [])
        self.retry_after = retry_after
        self.permanent = status not in (408, 429, 502, 503, 504)


class InvalidApiKey(CatFeederError):
    """The API key cannot be one, such as with the line break of its file; it is not repeated."""

    code = "invalid_api_key"

    def __init__(self) -> None:
        super().__init__("The API key must be of visible ASCII characters, without spaces.")


class ServiceUnreachable(CatFeederError):
    """The service did not answer, or another server did."""

    code = "service_unreachable"
    permanent = False

    def __init__(self) -> None:
        super().__init__("The service did not answer over HTTP: check the URL and that it runs.")


class JobFailed(CatFeederError):
    """The job ended with the worker's code and sentence."""

    def __init__(self, code: str, detail: str, permanent: bool) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.permanent = permanent


class JobCancelled(CatFeederError):
    """The job was cancelled before a worker began it."""

    code = "job_cancelled"

    def __init__(self) -> None:
        super().__init__("The job was cancelled before it started.")


class JobTimeout(CatFeederError):
    """The job has not ended in the time given; it may still do so."""

    code = "job_timeout"
    permanent = False

    def __init__(self, job_id: str) -> None:
        super().__init__("The job did not end in the time given; it may still do so.")
        self.job_id = job_id


class SignInRefused(CatFeederError):
    """The provider signed nobody in; `code` is its word, such as `access_denied`."""

    def __init__(self, code: str) -> None:
        super().__init__("The provider did not sign the user in.")
        self.code = code


class StateMismatch(CatFeederError):
    """The browser that came back is not the one that began: nothing was redeemed."""

    code = "state_mismatch"

    def __init__(self) -> None:
        super().__init__("The sign-in was not begun in this browser's session.")


class WebhookNotOurs(CatFeederError):
    """The request is not one of the service, or is too old to be taken again."""

    code = "webhook_not_ours"
