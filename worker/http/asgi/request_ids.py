"""Request ids: each request has one, which its answer, its logs, jobs and events name."""

from __future__ import annotations

import uuid
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from catfeeder.queue.trace_context import is_request_id, request_id

HEADER: Final = "X-Request-ID"
_NAME: Final = HEADER.lower().encode()


class RequestIds:
    """ASGI middleware that takes the id of a caller or proxy, or makes one, and answers with it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, with its id for all that it causes."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        own_id = _find_id(scope) or uuid.uuid4().hex
        request_id.set(own_id)
        header = (_NAME, own_id.encode())

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), header]
            await send(message)

        await self._app(scope, receive, send_with_id)


def _find_id(scope: Scope) -> str | None:
    """Return the id that the request brings, if it is sane: it will stand in logs."""
    found = [value for name, value in scope["headers"] if name == _NAME]
    text = found[0].decode("latin-1") if len(found) == 1 else None
    return text if is_request_id(text) else None
