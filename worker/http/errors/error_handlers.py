"""Exception handlers: our errors, FastAPI's, and unexpected ones become problems."""

from __future__ import annotations

import logging
import traceback
from typing import Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from catfeeder.errors import CatFeederError, OperatorError
from models.db.errors import StoredSecretBroken
from worker.http.errors.faults import to_faults
from worker.http.errors.matching_routes import list_fields, list_methods
from worker.http.errors.problems import (
    ProblemResponse,
    build_internal_problem,
    build_plain_problem,
    build_problem,
    to_problem,
)

_log: Final = logging.getLogger(__name__)


class CatchUnexpectedErrors:
    """ASGI middleware that answers 500, and logs where an error was raised but not its text.

    An exception's text may quote what was sent; a traceback's lines are those of the source.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; an answer that has begun is cut off, as HTTP has no other way."""
        has_begun = False

        async def send_and_note(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        except Exception as error:
            # BLE001 asks for a narrower class: this is the one place of the process that may not.
            _log_failure(error)
            if scope["type"] != "http":
                raise
            if not has_begun:
                await build_internal_problem()(scope, receive, send)


def _log_failure(error: Exception) -> None:
    where = "".join(traceback.format_tb(error.__traceback__))
    _log.error("A request failed with %s:\n%s", type(error).__name__, where)


def register_error_handlers(app: FastAPI) -> None:
    """Add a handler for each root of errors that a route may raise."""
    app.exception_handler(CatFeederError)(_handle_our_error)
    app.exception_handler(OperatorError)(_handle_operator_error)
    app.exception_handler(RequestValidationError)(_handle_invalid_request)
    app.exception_handler(HTTPException)(_handle_http_error)


async def _handle_our_error(_request: Request, error: CatFeederError) -> ProblemResponse:
    if error.code in ("internal_error", "seal_broken"):
        _log_failure(error)
    elif isinstance(error, StoredSecretBroken):
        _log.warning("%s", error)
    return to_problem(error)


async def _handle_operator_error(_request: Request, error: OperatorError) -> ProblemResponse:
    """Keep the server's address and user, which the sentence may name, to the log."""
    _log.error("%s", error)
    return to_problem(error)


async def _handle_http_error(request: Request, error: HTTPException) -> Response:
    if isinstance(error.__cause__, CatFeederError):
        # FastAPI wraps what is raised while it reads a body, such as BodyTooLarge.
        return to_problem(error.__cause__)
    if error.status_code == 400:
        return _build_malformed_json()
    if error.status_code == 405:
        allow = {"Allow": ", ".join(list_methods(request))}
        # RFC 9110 section 9.3.7: what may be done here, without doing it.
        is_question = request.method == "OPTIONS"
        return (
            Response(status_code=204, headers=allow)
            if is_question
            else build_plain_problem(405, allow)
        )
    return build_plain_problem(error.status_code, error.headers)


def _build_malformed_json() -> ProblemResponse:
    return build_problem(400, "malformed_json", "The body is not valid JSON in UTF-8.")


async def _handle_invalid_request(
    request: Request, error: RequestValidationError
) -> ProblemResponse:
    entries = error.errors()
    if any(entry["type"] == "json_invalid" for entry in entries):
        return _build_malformed_json()
    detail = "The request does not have the form that this route takes; see `errors`."
    return build_problem(
        422, "invalid_request", detail, faults=list(to_faults(entries, list_fields(request)))
    )
