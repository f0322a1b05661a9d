"""Requests whose end, or whose host, two parsers could see differently: one answer, and no more."""

from __future__ import annotations

import pytest

from tests.worker.http.asgi.test_connections import connected, read_all

_CHUNKED = b"Transfer-Encoding: chunked\r\n"
#: What a proxy that goes by Content-Length takes for the body of the first request.
_SMUGGLED = b"0\r\n\r\nGET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
_LENGTH = b"Content-Length: %d\r\n" % len(_SMUGGLED)


@pytest.mark.parametrize(
    "fields",
    [
        _LENGTH + _CHUNKED,
        _CHUNKED + _LENGTH,
        _LENGTH + b"transfer-ENCODING: identity\r\n",
        _LENGTH + _LENGTH,
        _LENGTH + b"Content-Length: 0\r\n",
        b"Content-Length: 5, 6\r\n",
        b"Content-Length: +5\r\n",
        b"Content-Length: -1\r\n",
        b"Content-Length : 5\r\n",
        _CHUNKED + _CHUNKED,
        b"Transfer-Encoding: gzip, chunked\r\n",
        b"Transfer-Encoding: xchunked\r\n",
        b"Host: localhost\r\n",
        b"Host: evil.example\r\n",
    ],
    ids=ascii,
)
def test_an_ambiguous_request_is_refused_and_ends_its_connection(url: str, fields: bytes) -> None:
    # Given a request of which two parsers could see two ends, with another behind it
    with connected(url) as connection:
        header = b"POST /v1/passwords/hash HTTP/1.1\r\nHost: localhost\r\n"
        connection.sendall(header + fields + b"\r\n" + _SMUGGLED)
        received = read_all(connection)
    # Then it is refused, the connection is closed, and the other is not read
    status = received.partition(b"\r\n")[0]
    assert status.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 501 ")), received
    assert received.count(b"HTTP/1.1 ") == 1
    assert b"healthy" not in received


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (b"GET /health HTTP/1.1\r\nHost: localhost:5000\r\n", 200),
        (b"GET /health HTTP/1.0\r\nHost: localhost\r\n", 200),
        (b"GET /health HTTP/1.1\r\n", 400),
        (b"GET /health HTTP/1.0\r\n", 400),
        (b"GET /health HTTP/1.0\r\nHost: localhost\r\nHost: localhost\r\n", 400),
        (b"GET /health HTTP/1.0\r\nHost: localhost\r\n" + _CHUNKED, 400),
        (b"GET /health HTTP/1.1\r\nHost: localhost:80@evil.example\r\n", 400),
        (b"GET /health HTTP/1.1\r\nHost: user@localhost\r\n", 400),
        (b"GET /health HTTP/1.1\r\nHost: localhost:99999\r\n", 400),
        (b"GET /health HTTP/1.1\r\nHost: [::1]evil\r\n", 400),
        (b"GET /health HTTP/1.1\r\nHost: caf\xc3\xa9\r\n", 400),
        (b"GET http://evil.example/health HTTP/1.1\r\nHost: localhost\r\n", 404),
    ],
    ids=ascii,
)
def test_a_host_is_one_host_or_none(url: str, header: bytes, status: int) -> None:
    with connected(url) as connection:
        connection.sendall(header + b"Connection: close\r\n\r\n")
        received = read_all(connection)
    assert received.startswith(b"HTTP/1.1 %d " % status), received
