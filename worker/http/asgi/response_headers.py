"""Security headers that every answer carries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from worker.http.asgi.content_security import POLICY

#: In lower case, as ASGI has them.
_HEADERS: Final = (
    # Answers hold hashes, profiles and tokens, and each is for one caller at one moment.
    (b"cache-control", b"no-store"),
    # The callback's own URL carries a code and a state, which the next page must not see.
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    # For browsers that know no frame-ancestors.
    (b"x-frame-options", b"DENY"),
)


class ResponseHeaders:
    """ASGI middleware that adds the headers unless an answer sets its own.

    `policies` holds the Content Security Policy of each path that needs another.
    """

    def __init__(self, app: ASGIApp, policies: Mapping[str, str]) -> None:
        self._app = app
        self._default = _with_policy(POLICY)
        self._by_path = {path: _with_policy(policy) for path, policy in policies.items()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with a `send` that adds headers."""
        wanted = self._by_path.get(scope.get("path", ""), self._default)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = message.get("headers", ())
                names = {name for name, _ in given}
                message["headers"] = [*given, *(each for each in wanted if each[0] not in names)]
            await send(message)

        await self._app(scope, receive, send_with_headers)


def _with_policy(policy: str) -> list[tuple[bytes, bytes]]:
    return [(b"content-security-policy", policy.encode("latin-1")), *_HEADERS]
