"""Problem details (RFC 9457): the `application/problem+json` body of every error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

from starlette.responses import JSONResponse

from catfeeder.errors import CatFeederError, JobFailed
from catfeeder.queue.trace_context import request_id
from worker.http.errors.statuses import get_status

#: A 503 without a `Retry-After` of its own passes within a few seconds, if at all.
_RETRY_AFTER_SECONDS: Final = 2
#: What stands unescaped in the fragment of a URI (RFC 3986 section 3.5), and the mark before it.
_FRAGMENT: Final = "#/?!$&'()*+,;=:@"
_DETAILS_BY_STATUS: Final = {
    404: ("not_found", "There is nothing at this path; /docs lists what there is."),
    405: ("method_not_allowed", "This path takes other methods; the Allow header lists them."),
}


class ProblemResponse(JSONResponse):
    """A JSON answer with the media type of problems."""

    media_type = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one part of a request; never the value that was sent.

    `pointer` leads to a field of the body (RFC 6901, as a URI fragment); `parameter` names a
    parameter of the path, the query or the headers.
    """

    detail: str
    code: str
    pointer: str | None = None
    parameter: str | None = None

    def as_json(self) -> dict[str, str]:
        """Return the members that apply."""
        members = {
            "pointer": None if self.pointer is None else quote(self.pointer, safe=_FRAGMENT),
            "parameter": self.parameter,
            "code": self.code,
            "detail": self.detail,
        }
        return {name: value for name, value in members.items() if value is not None}


def build_problem(
    status: int,
    code: str,
    detail: str,
    *,
    faults: Sequence[Fault] = (),
    headers: Mapping[str, str] | None = None,
) -> ProblemResponse:
    """Build the answer; `code` is the same word that a failed job carries."""
    content: dict[str, Any] = {
        "type": f"urn:problem-type:catfeeder:{code}",
        "title": code.replace("_", " ").capitalize(),
        "status": status,
        "detail": detail,
        "code": code,
    }
    if (of_request := request_id.get()) is not None:
        content["request_id"] = of_request
    if faults:
        content["errors"] = [fault.as_json() for fault in faults]
    return ProblemResponse(content, status, headers=headers)


def build_plain_problem(status: int, headers: Mapping[str, str] | None = None) -> ProblemResponse:
    """Build the answer for a status that says it all, such as 404 or 405."""
    phrase = HTTPStatus(status).phrase
    default = (phrase.lower().replace(" ", "_"), f"{phrase}.")
    code, detail = _DETAILS_BY_STATUS.get(status, default)
    return build_problem(status, code, detail, headers=headers)


def build_internal_problem() -> ProblemResponse:
    """Build the answer for an unexpected error; the reason is in the log alone."""
    return build_problem(500, "internal_error", "The request failed unexpectedly; see the log.")


def to_problem(error: CatFeederError) -> ProblemResponse:
    """Build the answer for one of our own errors, by its code."""
    status = get_status(error.code)
    if status == HTTPStatus.INTERNAL_SERVER_ERROR and not isinstance(error, JobFailed):
        return build_internal_problem()
    return build_problem(
        status,
        error.code,
        error.public_detail,
        faults=_list_faults(error),
        headers=_collect_headers(error, status),
    )


def _list_faults(error: CatFeederError) -> list[Fault]:
    """Return a fault for each field of the body that the error names in `fields`."""
    fields: Mapping[str, str] = getattr(error, "fields", {})
    return [Fault(detail, error.code, pointer=f"#/{name}") for name, detail in fields.items()]


def _collect_headers(error: CatFeederError, status: int) -> dict[str, str]:
    headers: Mapping[str, str] = getattr(error, "headers", {})
    default = {"Retry-After": str(_RETRY_AFTER_SECONDS)} if status == 503 else {}
    return {**default, **headers}


def escape_pointer_token(name: str) -> str:
    """Escape a name for a JSON pointer (RFC 6901 section 3)."""
    return name.replace("~", "~0").replace("/", "~1")
