"""Bodies of requests: the largest that this process reads, and none that is compressed."""

from __future__ import annotations

from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from worker.http.errors.problems import to_problem
from worker.http.errors.refusals import BodyTooLarge, ContentCodingUnsupported

#: A token or a provider's settings take a few KiB; more is a mistake, or an attack on memory.
MAXIMUM_BODY_BYTES: Final = 64 * 1024
_OF_BODIES: Final = (b"content-length", b"transfer-encoding")


class BodyLimit:
    """ASGI middleware that answers 413, by `Content-Length` or while the body arrives, and 415."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with a `receive` that counts bytes."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif not any(name in _OF_BODIES for name, _ in scope["headers"]):
            # Without a length and a coding there is no body (RFC 9112 section 6.3).
            await self._app(scope, receive, send)
        elif _is_compressed(scope):
            headers = {"Accept-Encoding": "identity", "Connection": "close"}
            await to_problem(ContentCodingUnsupported(headers=headers))(scope, receive, send)
        elif _parse_content_length(scope) > MAXIMUM_BODY_BYTES:
            # The body stays unread, so the connection cannot be used again.
            refusal = BodyTooLarge(headers={"Connection": "close"})
            await to_problem(refusal)(scope, receive, send)
        else:
            await self._app(scope, _count_bytes(receive), send)


def _is_compressed(scope: Scope) -> bool:
    """Return whether there is a body in another content coding (RFC 9110 section 15.5.16)."""
    headers = Headers(scope=scope)
    coding = headers.get("content-encoding", "identity").strip().lower()
    has_body = "transfer-encoding" in headers or _parse_content_length(scope) > 0
    return has_body and coding not in ("", "identity")


def _parse_content_length(scope: Scope) -> int:
    text = Headers(scope=scope).get("content-length", "")
    return int(text) if text.isascii() and text.isdecimal() else 0


def _count_bytes(receive: Receive) -> Receive:
    total = 0

    async def receive_and_count() -> Message:
        nonlocal total
        message = await receive()
        total += len(message.get("body", b""))
        if total > MAXIMUM_BODY_BYTES:
            raise BodyTooLarge(headers={"Connection": "close"})
        return message

    return receive_and_count
