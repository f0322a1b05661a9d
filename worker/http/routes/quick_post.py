"""Fast path of the password routes: a plain body is parsed without FastAPI's dependencies.

Measured on a request to take in a job: FastAPI's own way costs as much core time again. A request
that is anything but plain takes that way, so that it alone says what is wrong.
"""

from __future__ import annotations

import json
from typing import Any, Final, get_type_hints

from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message, Receive, Scope, Send

from worker.http.auth.guarded_route import GuardedRoute
from worker.http.handlers.preferences import parse_preferred_wait
from worker.http.handlers.submission import Submission
from worker.http.routes.quick_route import QuickRoute

_PLAIN_TYPES: Final = ("application/json", "application/json; charset=utf-8")


class QuickPost(QuickRoute):
    """Answers for a guarded route whose endpoint takes a `body`, with `submit` or `shim`, alone."""

    def __init__(self, route: GuardedRoute) -> None:
        super().__init__(route.path, "POST")
        self._route = route
        self._requirements = route.find_required_scopes()
        self._endpoint = route.endpoint
        hints = get_type_hints(route.endpoint)
        self._model: type[BaseModel] = hints["body"]
        self._makes_job = "submit" in hints

    def find_parameters(self, path: str) -> dict[str, str] | None:
        """Return none of a path without parameters."""
        return {} if path == self.path else None

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check the key, parse the body, and answer; errors are answered as any route's."""
        request = Request(scope, receive)
        for requirement in self._requirements:
            await requirement.check(request)
        body = await _parse_plain_body(request, self._model)
        if body is None:
            await _handle_by_fastapi(self._route, request, send)
            return
        answer = await self._endpoint(body=body, **self._build_arguments(request))
        await answer(scope, receive, send)

    def _build_arguments(self, request: Request) -> dict[str, Any]:
        shim = request.app.state.shim
        if not self._makes_job:
            return {"shim": shim}
        wait = parse_preferred_wait(request.headers.getlist("prefer"))
        return {"submit": Submission(request, shim, wait, None)}


async def _parse_plain_body(request: Request, model: type[BaseModel]) -> BaseModel | None:
    """Return the body of a request without special headers; None for any other, or a wrong body."""
    headers = request.headers
    if "idempotency-key" in headers or headers.get("content-type") not in _PLAIN_TYPES:
        return None
    try:
        return model.model_validate(json.loads(await request.body()))
    except (ValueError, RecursionError, ClientDisconnect):
        return None


async def _handle_by_fastapi(route: APIRoute, request: Request, send: Send) -> None:
    """Let a route of FastAPI answer a request whose body may have been read."""
    is_read = hasattr(request, "_body")

    async def receive() -> Message:
        nonlocal is_read
        if is_read:
            is_read = False
            return {"type": "http.request", "body": await request.body(), "more_body": False}
        return await request.receive()

    _, found = route.matches(request.scope)
    request.scope.update(found)
    await route.handle(request.scope, receive, send)
