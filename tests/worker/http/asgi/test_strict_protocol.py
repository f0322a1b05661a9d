"""The parser's bounds, and what follows a request on its connection: real sockets, byte by byte."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator

import pytest
from fastapi import FastAPI, Request
from starlette.responses import StreamingResponse

from tests.worker.http.asgi.test_connections import connected, read_all
from tests.worker.http.serving import served
from worker.http.asgi.strict_protocol import MAXIMUM_AHEAD, MAXIMUM_HEADER_BYTES

_HOST = b"Host: localhost\r\n"
_GET = b"GET /seen HTTP/1.1\r\n" + _HOST
_POST = b"POST /seen HTTP/1.1\r\n" + _HOST
_CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
_CLOSE = b"Connection: close\r\n\r\n"
_LARGE = b"x" * (MAXIMUM_HEADER_BYTES + 1)


@pytest.fixture(scope="module")
def echo() -> Iterator[str]:
    """Serve what answers with all that it has seen of a request."""
    app = FastAPI()

    @app.api_route("/seen", methods=["GET", "POST"])
    async def seen(request: Request) -> dict[str, object]:
        body = (await request.body()).decode()
        return {"method": request.method, "headers": dict(request.headers), "body": body}

    @app.get("/slow")
    async def slow() -> StreamingResponse:
        return StreamingResponse(_wait_for_ever())

    with served(app) as url:
        yield url


async def _wait_for_ever() -> AsyncIterator[bytes]:
    await asyncio.Event().wait()
    yield b""


def exchange(url: str, *pieces: bytes) -> bytes:
    with connected(url) as connection:
        with contextlib.suppress(ConnectionError):
            for piece in pieces:
                connection.sendall(piece)
        return read_all(connection)


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param([_GET, b"X-Large: " + _LARGE + b"\r\n\r\n"], id="a field"),
        pytest.param([_GET, b"X-Large: ", *([b"x" * 1024] * 80)], id="a field without an end"),
        pytest.param([_GET, *([b"A: b\r\n"] * MAXIMUM_HEADER_BYTES)], id="fields"),
        pytest.param([b"GET /", _LARGE, b" HTTP/1.1\r\n"], id="a target"),
        pytest.param([_POST, _CHUNKED, b"1;", _LARGE], id="the line of a chunk"),
        pytest.param([_POST, _CHUNKED, b"0\r\nX-Large: ", _LARGE], id="a trailer"),
        pytest.param([_POST, _CHUNKED, b"0\r\n", b"A: b\r\n" * 16384], id="trailers"),
    ],
)
def test_what_goes_on_and_on_is_refused(echo: str, pieces: list[bytes]) -> None:
    # Given a request of which some part has no end, then its connection has one; what is unread
    # by then can cost the client the answer
    assert exchange(echo, *pieces)[:13] in (b"HTTP/1.1 400 ", b"")


def test_fields_behind_a_body_are_no_header(echo: str) -> None:
    # Given a field that a proxy would have dropped or set, behind the body that it passed on
    trailer = b"1\r\nx\r\n0\r\nX-Forwarded-For: 192.0.2.1\r\nAuthorization: Bearer x\r\n\r\n"
    # When all comes at once
    received = exchange(echo, _POST + _CHUNKED + trailer + _GET + _CLOSE)
    # Then no request has it, and the next one is read where it begins
    assert (received.count(b"HTTP/1.1 200 "), b'"body":"x"' in received) == (2, True)
    assert b"192.0.2.1" not in received
    assert b"Bearer" not in received


@pytest.mark.parametrize(
    "header",
    [
        b"GET /seen HTTP/2.0\r\n" + _HOST,
        b"GET /seen HTTP/0.9\r\n" + _HOST,
        b"GET /seen HTTP/1.1\n" + _HOST,
        _GET + b"A: b\nContent-Length: 3\r\n",
        _GET + b"A: b\rContent-Length: 3\r\n",
        _GET + b"A: b\x00c\r\n",
        _GET + b"A\x00: b\r\n",
        _GET + b"Content-Length:\r\n",
        _GET + b"Content-Length: 0x3\r\n",
        _GET + b"Content-Length: 99999999999999999999999\r\n",
        _GET + b"Transfer-Encoding:\r\n chunked\r\n",
        _GET + b"Transfer-Encoding: chunked, identity\r\n",
        _GET + b" Content-Length: 3\r\n",
        _POST + b"Connection: upgrade\r\nUpgrade: h2c\r\nTransfer-Encoding: chunked\r\n",
        b"CONNECT evil.example:443 HTTP/1.1\r\n" + _HOST,
        b"PRI * HTTP/2.0\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
    ],
    ids=ascii,
)
def test_what_parsers_may_read_in_two_ways_ends_the_connection(echo: str, header: bytes) -> None:
    # Given such a request, with another behind it
    received = exchange(echo, header + b"\r\n" + _GET + _CLOSE)
    # Then there is one answer at most, and it is no
    assert received.startswith(b"HTTP/1.1 400 ")
    assert received.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize(
    "chunk",
    [b"x\r\n", b"-1\r\n", b"0x1\r\na\r\n", b"1\na\r\n", b"1\r\nab\r\n", b"FFFFFFFFFFFFFFFFF\r\n"],
    ids=ascii,
)
def test_a_malformed_chunk_ends_the_connection(echo: str, chunk: bytes) -> None:
    received = exchange(echo, _POST + _CHUNKED + chunk + b"0\r\n\r\n" + _GET + _CLOSE)
    assert received.startswith(b"HTTP/1.1 400 ")
    assert received.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize("wanted", [b"h2c", b"websocket"], ids=ascii)
def test_a_wish_for_another_protocol_is_passed_over(echo: str, wanted: bytes) -> None:
    # Given a client that would rather speak another protocol, and asks twice
    upgrade = b"Connection: Upgrade\r\nUpgrade: " + wanted + b"\r\n"
    body = b"Content-Length: 4\r\n\r\nbody"
    received = exchange(echo, _POST + upgrade + body + _GET + _CLOSE)
    # Then both are answered in this one
    assert received.count(b"HTTP/1.1 200 ") == 2
    assert b'"body":"body"' in received


def test_requests_sent_ahead_are_answered_in_turn_up_to_a_bound(echo: str) -> None:
    # Given a client that sends a few requests at once, then one that sends very many
    few = exchange(echo, (_GET + b"\r\n") * (MAXIMUM_AHEAD - 1) + _GET + _CLOSE)
    many = exchange(echo, (_GET + b"\r\n") * 2000)
    # Then the few are all answered; the many are not kept, and their client may send them again
    assert few.count(b"HTTP/1.1 200 ") == MAXIMUM_AHEAD
    assert many.count(b"HTTP/1.1 ") < MAXIMUM_AHEAD


def test_an_answer_is_no_other_request_s(echo: str) -> None:
    # Given a request, and behind it, before its answer, what is none
    received = exchange(echo, _GET + b"\r\n" + b"\x00\r\n\r\n")
    # Then the first has its own answer, and the connection ends with it
    assert received.startswith(b"HTTP/1.1 200 ")
    assert received.count(b"HTTP/1.1 ") == 1


def test_an_answer_comes_in_one_piece_and_a_head_alone_is_not_kept(echo: str) -> None:
    with connected(echo) as connection:
        # Given an answer with a body, then one whose body is long in coming
        connection.sendall(_GET + b"\r\n")
        whole = connection.recv(65536)
        connection.sendall(b"GET /slow HTTP/1.1\r\n" + _HOST + b"\r\n")
        head = connection.recv(65536)
    # Then the first is there at once, and of the second what there is
    assert whole.endswith(b'"body":""}')
    assert head.startswith(b"HTTP/1.1 200 ")
    assert head.endswith(b"\r\n\r\n")
