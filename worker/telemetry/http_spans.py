"""ASGI middleware of traces: one span a request, under the span of a caller with `traceparent`."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from actors.telemetry.tracing import SERVER, Span, begin_span

_TRACEPARENT = b"traceparent"


class TraceRequests:
    """Begins a span for each request; its attributes are the route's pattern and the status."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on within its span."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        method = scope["method"]
        span = begin_span(method, SERVER, {"http.request.method": method}, _find_parent(scope))

        async def note_status(message: Message) -> None:
            if message["type"] == "http.response.start":
                span.note({"http.response.status_code": message["status"]})
            await send(message)

        try:
            await self._app(scope, receive, note_status)
        except BaseException as error:
            _end(span, scope, error)
            raise
        _end(span, scope, None)


def _end(span: Span, scope: Scope, error: BaseException | None) -> None:
    route = getattr(scope.get("route"), "path", None)
    if route is not None:
        span.rename(f"{scope['method']} {route}")
        span.note({"http.route": route})
    span.end(error)


def _find_parent(scope: Scope) -> str | None:
    found = [value for name, value in scope["headers"] if name == _TRACEPARENT]
    return found[0].decode("latin-1") if len(found) == 1 else None
