"""The largest body that is read."""

from __future__ import annotations

from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from worker.http.errors.problems import to_problem
from worker.http.errors.refusals import BodyTooLarge

#: A token or a provider's settings take a few KiB; more is a mistake, or an attack on memory.
MAXIMUM_BODY_BYTES: Final = 64 * 1024


class BodyLimit:
    """Refuses a body that is too large: by its stated length at once, else on the way."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap the application."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with a `receive` that counts."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif _stated_length(scope) > MAXIMUM_BODY_BYTES:
            # Nobody will read what was sent, so the connection is of no use any more.
            refusal = BodyTooLarge(headers={"Connection": "close"})
            await to_problem(refusal)(scope, receive, send)
        else:
            await self._app(scope, _counting(receive), send)


def _stated_length(scope: Scope) -> int:
    text = Headers(scope=scope).get("content-length", "")
    return int(text) if text.isascii() and text.isdecimal() else 0


def _counting(receive: Receive) -> Receive:
    total = 0

    async def counted() -> Message:
        nonlocal total
        message = await receive()
        total += len(message.get("body", b""))
        if total > MAXIMUM_BODY_BYTES:
            raise BodyTooLarge(headers={"Connection": "close"})
        return message

    return counted
