"""Answers of a provider: well-formed, malformed or malicious."""

from __future__ import annotations

import gzip
import html
import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode


@dataclass(frozen=True)
class Answer:
    """One answer. A body of several pieces is sent piece by piece, until the client hangs up."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    #: Sent in place of a status line, headers and body, as it is.
    pieces: Iterator[bytes] | None = None


def json_answer(data: Any, status: int = 200, **headers: str) -> Answer:
    """Answer JSON data."""
    return json_text(json.dumps(data), status, **headers)


def json_text(text: str, status: int = 200, **headers: str) -> Answer:
    """Answer what stands there under the media type of JSON; `Retry_After` is Retry-After."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, text.encode(), {"Content-Type": "application/json", **named})


def form_answer(members: Mapping[str, Any], status: int = 200) -> Answer:
    """Answer a form, as GitHub does unless it is asked for JSON."""
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return Answer(status, urlencode(members).encode(), headers)


def html_answer(status: int = 200) -> Answer:
    """Answer a page for people."""
    body = b"<!doctype html><title>Sorry</title><p>access_token=not-a-token&amp;x=1"
    return Answer(status, body, {"Content-Type": "text/html; charset=utf-8"})


def redirect_answer(url: str, status: int = 307) -> Answer:
    """Send the client elsewhere."""
    return Answer(status, b"", {"Location": url})


def form_post(url: str, fields: Mapping[str, str]) -> Answer:
    """Answer a page that posts a form to `url` as soon as it is shown, as Apple does."""
    inputs = "".join(
        f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">'
        for name, value in fields.items()
    )
    page = f'<body onload="document.forms[0].submit()"><form method="post" action="{url}">{inputs}'
    return Answer(200, page.encode(), {"Content-Type": "text/html; charset=utf-8"})


def gzip_bomb(megabytes: int) -> Answer:
    """Answer a thousandth of what it is once unpacked."""
    body = gzip.compress(b" " * (megabytes * 2**20))
    return Answer(200, body, {"Content-Type": "application/json", "Content-Encoding": "gzip"})


def broken_gzip() -> Answer:
    """Announce gzip and answer something else."""
    return Answer(200, b"{}", {"Content-Type": "application/json", "Content-Encoding": "gzip"})


_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def endless_body() -> Answer:
    """Answer a body that never ends."""

    def pieces() -> Iterator[bytes]:
        yield _HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
        while True:
            yield b"4000\r\n" + b" " * 0x4000 + b"\r\n"

    return Answer(pieces=pieces())


def endless_chunk_length() -> Answer:
    """Answer a chunk whose length has no end."""

    def pieces() -> Iterator[bytes]:
        yield _HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
        while True:
            yield b"0" * 0x10000

    return Answer(pieces=pieces())


def dripping(end: threading.Event, *, headers_only: bool) -> Answer:
    """Answer byte by byte, each in time and the whole never, in the headers or in the body."""

    def pieces() -> Iterator[bytes]:
        if headers_only:
            yield b"HTTP/1.1 200 OK\r\nX-Slow: "
        else:
            yield _HEAD + b"Content-Length: 100000\r\n\r\n"
        while not end.wait(0.05):
            yield b"x"

    return Answer(pieces=pieces())


def broken_off() -> Answer:
    """Announce more than is sent."""
    return Answer(pieces=iter([_HEAD + b'Content-Length: 1000\r\n\r\n{"access_']))


def not_http() -> Answer:
    """Answer in another protocol."""
    return Answer(pieces=iter([b"220 mail.example ESMTP\r\n"]))
