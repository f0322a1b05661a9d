"""Exchange on a connection that is kept alive: one write, and one look at an ordinary answer.

llhttp reads an answer that comes as a whole; http.client and urllib3 read all others, which are
packed, long or slow. They take three times as much CPU time, and each renewal is one exchange.
"""

from __future__ import annotations

import http.client
import io
import ssl
from collections.abc import Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import Any, NamedTuple

import httptools
import urllib3
from urllib3.exceptions import ProtocolError, ReadTimeoutError, SSLError

from actors.providers.http.exchanges.answers import Answer, WholeAnswer, build_response
from actors.providers.http.pools import DeadlineSocket, check_sending, hand_over_late


class Outgoing(NamedTuple):
    """A request with a body, as it is sent; `path` has the query."""

    method: str
    path: str
    body: bytes
    headers: Mapping[str, str]


def exchange(pool: Any, request: Outgoing, seconds: float) -> Answer | None:
    """Send a request on a connection of the pool that is open, and return the answer.

    None where there is no such connection, or `urlopen` alone knows how: nothing was sent. The
    errors are those of `urlopen` without retries.
    """
    if pool.proxy is not None:
        return None
    connection = pool._get_conn()
    text = None if connection.sock is None else _write(request, connection.host_line)
    if text is None:
        pool._put_conn(connection)
        return None
    stream = DeadlineSocket(connection.sock, seconds).makefile("rb")
    try:
        _send(connection, text, seconds)
        arrived = _await_first_bytes(stream, connection)
        whole = _read_whole(stream, arrived, pool, connection)
        return whole or _read_head(stream, pool, connection, request.method)
    except BaseException as error:
        stream.close()
        connection.close()
        pool._put_conn(connection)
        if (translated := _translate(error, pool, request.path)) is None:
            raise
        raise translated from error


def _write(request: Outgoing, host_line: str) -> bytes | None:
    """Return a request's text; None where http.client might refuse it, or write it otherwise."""
    method, path, body, headers = request
    lines = [f"{method} {path} HTTP/1.1", host_line, f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    head = "\r\n".join(lines)
    is_plain = head.isascii() and head.count("\n") == head.count("\r") == len(lines) - 1
    if not is_plain or "\0" in head or " " in path or not host_line:
        return None
    return b"%b\r\n\r\n%b" % (head.encode(), body)


def _send(connection: Any, request: bytes, seconds: float) -> None:
    connection.timeout = seconds
    connection.sock.settimeout(seconds)
    check_sending()
    # The answer may have come before.
    with suppress(BrokenPipeError, ConnectionResetError):
        connection.sock.sendall(request)


def _await_first_bytes(stream: io.BufferedReader, connection: Any) -> bytes:
    try:
        return stream.peek()
    except TimeoutError:
        hand_over_late(connection)
        raise


def _read_whole(
    stream: io.BufferedReader, arrived: bytes, pool: Any, connection: Any
) -> WholeAnswer | None:
    """Return an answer that is there as a whole; None, with nothing taken, for any other."""
    parsed = _Parsed()
    try:
        parsed.parser.feed_data(arrived)
    except httptools.HttpParserError:
        # Of what has come behind an answer, the connection's end alone matters.
        parsed.is_last = True
    if parsed.status < HTTPStatus.OK or "Content-Encoding" in parsed.headers:
        return None
    stream.close()
    if parsed.is_last:
        connection.close()
    pool._put_conn(connection)
    return WholeAnswer(parsed.status, parsed.headers, parsed.body)


class _Parsed:
    """What llhttp finds in some bytes; `status` is 0 until an answer is complete."""

    def __init__(self) -> None:
        self.parser = httptools.HttpResponseParser(self)
        self.status = 0
        self.headers = urllib3.HTTPHeaderDict()
        self.body = b""
        #: Whether no other answer will follow on its connection, or whether it has come unasked.
        self.is_last = False

    def on_message_begin(self) -> None:
        self.is_last = self.status > 0

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.status:
            self.headers.add(name.decode("iso-8859-1"), value.decode("iso-8859-1"))

    def on_body(self, body: bytes) -> None:
        if not self.status:
            self.body += body

    def on_message_complete(self) -> None:
        if not self.status:
            self.status = self.parser.get_status_code()
            self.is_last = not self.parser.should_keep_alive()


class _Stream:
    """What http.client reads from in place of a socket: a stream that is there already."""

    def __init__(self, stream: io.BufferedReader) -> None:
        self._stream = stream

    def makefile(self, _mode: str) -> io.BufferedReader:
        return self._stream


def _read_head(
    stream: io.BufferedReader, pool: Any, connection: Any, method: str
) -> urllib3.HTTPResponse:
    """Return an answer whose body is still to be read, as `urlopen` does."""
    source: Any = _Stream(stream)
    head = http.client.HTTPResponse(source, method=method)
    try:
        head.begin()
    except TimeoutError:
        hand_over_late(connection)
        raise
    if head.will_close:
        connection.close()
    return build_response(head, method, pool=pool, connection=connection)


def _translate(error: BaseException, pool: Any, path: str) -> Exception | None:
    """Return what `urlopen` raises in place of an error; None where it raises the error itself."""
    if isinstance(error, ssl.SSLError):
        return SSLError(error)
    if isinstance(error, TimeoutError):
        return ReadTimeoutError(pool, path, "The time of the answer is over.")
    if isinstance(error, OSError | http.client.HTTPException):
        return ProtocolError("The connection broke off.", error)
    return None
