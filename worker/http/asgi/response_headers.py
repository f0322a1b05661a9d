"""Security headers that every answer carries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from worker.http.asgi.content_security import POLICY

_HEADERS: Final = {
    # Answers hold hashes, profiles and tokens, and each is for one caller at one moment.
    "Cache-Control": "no-store",
    # The callback's own URL carries a code and a state, which the next page must not see.
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    # For browsers that know no frame-ancestors.
    "X-Frame-Options": "DENY",
}


class ResponseHeaders:
    """ASGI middleware that adds the headers unless an answer sets its own.

    `policies` holds the Content Security Policy of each path that needs another.
    """

    def __init__(self, app: ASGIApp, policies: Mapping[str, str]) -> None:
        self._app = app
        self._policies = policies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with a `send` that adds headers."""
        policy = self._policies.get(scope.get("path", ""), POLICY)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("Content-Security-Policy", policy)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)
