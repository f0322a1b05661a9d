"""Compression of large answers, but of none that holds a token."""

from __future__ import annotations

from starlette.middleware.gzip import GZipMiddleware
from starlette.types import Receive, Scope, Send


class CompressAnswers(GZipMiddleware):
    """ASGI middleware that compresses answers from a size on, those of token reads left out.

    The length of a compressed text tells how much of a secret another part of it repeats. These are
    also the answers that apps ask for most, and few are large.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a token read on as it is."""
        if scope["type"] == "http" and not scope["path"].endswith("/token"):
            await super().__call__(scope, receive, send)
        else:
            await self.app(scope, receive, send)
