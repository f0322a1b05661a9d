"""Answers of providers: one that has come as a whole, and one whose body is still to be read."""

from __future__ import annotations

import http.client
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import urllib3


class Answer(Protocol):
    """An answer whose head is read."""

    status: int
    headers: Any

    def stream(self, amt: int, decode_content: bool | None = None) -> Iterator[bytes]:
        """Yield the body."""

    def close(self) -> None:
        """Give up what is left of the body."""

    def release_conn(self) -> None:
        """Put the connection back, unless it is back."""


class WholeAnswer:
    """An answer that has come as a whole, and whose connection is back in its pool."""

    __slots__ = ("_body", "headers", "status")

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self._body = body

    def stream(self, _amt: int, decode_content: bool | None = None) -> Iterator[bytes]:
        """Yield the body, which nothing has packed."""
        del decode_content
        yield self._body

    def close(self) -> None:
        """Do nothing: nothing is left."""

    def release_conn(self) -> None:
        """Do nothing: it is back."""


def build_response(
    head: http.client.HTTPResponse, method: str, **origin: Any
) -> urllib3.HTTPResponse:
    """Return an answer whose head is read; `origin` is the pool and connection that it uses."""
    return urllib3.HTTPResponse(
        body=head,
        headers=urllib3.HTTPHeaderDict(head.getheaders()),
        status=head.status,
        preload_content=False,
        decode_content=False,
        original_response=head,
        request_method=method,
        **origin,
    )
