"""Problem pages: an error as a page for people, with the status and the words of its problem."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from fastapi.exceptions import RequestValidationError
from starlette.responses import Response

from catfeeder.errors import CatFeederError
from worker.http.errors.statuses import get_status
from worker.http.pages.templating import render_page

_INTERNAL: Final = "Something failed unexpectedly. The service's log has the reason."
#: What an operator does about what the service needs and cannot reach, by the code of the error.
_REMEDIES: Final = {
    "database_unreachable": (
        "See that the server that DATABASE_URL names runs, or that SQLite's file under VAR_DIR can "
        "be used; `python -m worker config check` says what is wrong. The service goes on by "
        "itself once it is back."
    ),
    "queue_unreachable": (
        "See that the server that REDIS_URL names runs; `python -m worker config check` says what "
        "is wrong. The service goes on by itself once it is back."
    ),
}


def find_remedy(code: str) -> str:
    """Return what an operator does about an error; nothing where its sentence says it."""
    return _REMEDIES.get(code, "")


def render_problem(error: CatFeederError, back: str | None = None) -> Response:
    """Answer with the page of one of our own errors, with a link back where a path is given."""
    status = get_status(error.code)
    is_internal = status == HTTPStatus.INTERNAL_SERVER_ERROR
    sentence = _INTERNAL if is_internal else f"{error.public_detail} {find_remedy(error.code)}"
    response = _render(status, error.code, sentence, back)
    response.headers.update(getattr(error, "headers", {}))
    return response


def render_invalid_request(_error: RequestValidationError) -> Response:
    """Answer with the page of an address that no link of ours has."""
    return _render(422, "invalid_request", "The address of this page has a part that is not valid.")


def _render(status: int, code: str, sentence: str, back: str | None = None) -> Response:
    title = code.replace("_", " ").capitalize()
    return render_page("problem.html", status=status, title=title, sentence=sentence, back=back)
