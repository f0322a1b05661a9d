"""Where exceptions become problems: ours, FastAPI's, and those that nobody foresaw."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterable
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from catfeeder.errors import CatFeederError, OperatorError
from worker.http.errors.problems import (
    Fault,
    ProblemResponse,
    build_internal_problem,
    build_plain_problem,
    escape_pointer_token,
    problem,
    to_problem,
)

_log: Final = logging.getLogger(__name__)


class CatchUnexpectedErrors:
    """Answers 500 to what nobody foresaw, and logs where it was raised but not what it says.

    An exception's text may quote what was sent; a traceback's lines are those of the source.
    """

    def __init__(self, app: ASGIApp) -> None:
        """Wrap the application."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; an answer that has begun is broken off, as HTTP has no other way."""
        has_begun = False

        async def watched(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
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
    """Register the handlers."""
    app.exception_handler(CatFeederError)(_our_error)
    app.exception_handler(OperatorError)(_operator_error)
    app.exception_handler(RequestValidationError)(_invalid_request)
    app.exception_handler(HTTPException)(_http_error)


async def _our_error(_request: Request, error: CatFeederError) -> ProblemResponse:
    if error.code in ("internal_error", "seal_broken"):
        _log_failure(error)
    return to_problem(error)


async def _operator_error(_request: Request, error: OperatorError) -> ProblemResponse:
    """Keep the server's address and user, which the sentence may name, to the log."""
    _log.error("%s", error)
    return to_problem(error)


async def _http_error(_request: Request, error: HTTPException) -> ProblemResponse:
    if isinstance(error.__cause__, CatFeederError):
        # FastAPI wraps what is raised while it reads a body, such as that there is too much of it.
        return to_problem(error.__cause__)
    if error.status_code == 400:
        return _unreadable_body()
    return build_plain_problem(error.status_code, error.headers)


def _unreadable_body() -> ProblemResponse:
    return problem(400, "malformed_json", "The body is not valid JSON in UTF-8.")


async def _invalid_request(_request: Request, error: RequestValidationError) -> ProblemResponse:
    entries = error.errors()
    if any(entry["type"] == "json_invalid" for entry in entries):
        return _unreadable_body()
    detail = "The request does not have the form that this route takes; see `errors`."
    return problem(422, "invalid_request", detail, faults=list(_faults(entries)))


def _faults(entries: Iterable[Any]) -> Iterable[Fault]:
    """Tell pydantic's entries without their `input` and without names that the caller made up."""
    for entry in entries:
        place, *path = entry["loc"]
        if entry["type"] == "extra_forbidden":
            path.pop()
        if place == "body":
            pointer = "".join(f"/{escape_pointer_token(str(part))}" for part in path)
            yield Fault(_sentence(entry), entry["type"], pointer=f"#{pointer}")
        else:
            yield Fault(_sentence(entry), entry["type"], parameter=str(path[0]) if path else None)


def _sentence(entry: Any) -> str:
    if entry["type"] == "extra_forbidden":
        return "There is a name here that is not known; /docs lists those that are."
    return f"{entry['msg']}."
