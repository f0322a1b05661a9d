"""HEAD wherever GET is answered (RFC 9110 section 9.3.2): the same headers, without the content."""

from __future__ import annotations

import re
from typing import Final

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: A program that only looks at a link must not spend the code in it.
_SPENT_BY_GET: Final = re.compile(r"/callback(/[^/]*)?\Z")


class AnswerHead:
    """ASGI middleware that performs a HEAD as GET and drops the content."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass any other request on as it is."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
        elif _SPENT_BY_GET.search(scope["path"]):
            await Response(headers={"Cache-Control": "no-store"})(scope, receive, send)
        else:
            await self._app({**scope, "method": "GET"}, receive, _drop_content(send))


def _drop_content(send: Send) -> Send:
    async def send_without_content(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return send_without_content
