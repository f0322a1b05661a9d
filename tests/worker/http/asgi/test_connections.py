"""Connections: those without a request end in time, make room, and never hide the health check."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

import pytest
from fastapi import FastAPI

from config import ROOT
from tests.conftest import ADMIN_API_KEY
from tests.worker.http.serving import calling, served
from worker.http.asgi.connections import ConnectionLimits, GuardedProtocol
from worker.http.asgi.logs import LimitAcceptErrors

_HEADER = b"POST /v1/passwords/hash HTTP/1.1\r\nHost: localhost\r\n"
_AUTHORISED = _HEADER + b"Authorization: Bearer " + ADMIN_API_KEY.encode() + b"\r\n"
_JSON = b"Content-Type: application/json\r\n"


class Hasty(GuardedProtocol):
    """Waits for tenths of a second, and takes four connections and two more."""

    limits = ConnectionLimits(
        *(4, 2),
        header_seconds=0.4,
        body_pause_seconds=0.4,
        body_seconds=0.8,
        reading_seconds=0.4,
        reserved_seconds=0.4,
        sweep_seconds=0.05,
    )


@contextmanager
def connected(url: str) -> Iterator[socket.socket]:
    address = urlsplit(url)
    with socket.create_connection((address.hostname, address.port), timeout=30) as connection:
        yield connection


def read_all(connection: socket.socket) -> bytes:
    """Read until the server has closed the connection."""
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := connection.recv(65536):
            received += piece
    return received


def ask_for(connection: socket.socket, request: bytes, seconds: float) -> None:
    """Send a request again and again, and read nothing."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        connection.sendall(request)
        time.sleep(0.1)


@pytest.fixture
def hasty(app: FastAPI) -> Iterator[str]:
    with served(app, Hasty) as url:
        yield url


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param([], id="nothing"),
        pytest.param([b"GET "] + [b"x"] * 100, id="a header that trickles"),
        pytest.param([_AUTHORISED, _JSON, b"Content-Length: 50\r\n\r\n"], id="no body"),
        pytest.param(
            [_AUTHORISED, _JSON, b"Content-Length: 500\r\n\r\n"] + [b" "] * 100,
            id="a body that trickles",
        ),
        pytest.param(
            [b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n", b"G"], id="half of a second one"
        ),
    ],
)
def test_a_request_that_does_not_come_ends_its_connection(hasty: str, pieces: list[bytes]) -> None:
    with connected(hasty) as connection:
        started = time.monotonic()
        # When a client sends as little as it can
        with contextlib.suppress(OSError):
            for piece in pieces:
                connection.sendall(piece)
                time.sleep(0.05)
        read_all(connection)
    # Then the server has ended it
    assert time.monotonic() - started < 5


def test_a_client_that_never_reads_its_answers_is_cut_off(hasty: str) -> None:
    request = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"
    address = urlsplit(hasty)
    with socket.socket() as connection:
        # Given a client that takes in little, and answers that are larger
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect((address.hostname, address.port))
        # When it reads none of them and goes on to ask, then the server ends it
        with pytest.raises(ConnectionError):
            ask_for(connection, request, seconds=10)


def test_a_slow_job_is_waited_for(hasty: str) -> None:
    # Given a request that is there as a whole
    with connected(hasty) as connection:
        body = b'{"password": "correct horse battery"}'
        length = f"Content-Length: {len(body)}\r\nConnection: close\r\n".encode()
        connection.sendall(_AUTHORISED + _JSON + length + b"Prefer: wait=2\r\n\r\n" + body)
        # Then no deadline of a header or a body ends it
        assert read_all(connection).startswith(b"HTTP/1.1 202 ")


def test_idle_connections_make_room(hasty: str) -> None:
    # Given more idle connections than there may be
    with ExitStack() as held:
        connections = [held.enter_context(connected(hasty)) for _ in range(12)]
        # Then a request is answered at once
        with calling(hasty, headers={"Authorization": f"Bearer {ADMIN_API_KEY}"}) as http:
            assert http.get("/v1/queues").status_code == 200
        # And the longest idle have ended
        assert read_all(connections[0]) == b""


def test_where_none_is_idle_the_health_check_is_answered_and_nothing_else(hasty: str) -> None:
    body = b'{"password": "correct horse battery"}'
    length = f"Content-Length: {len(body)}\r\nPrefer: wait=5\r\n\r\n".encode()
    with ExitStack() as held:
        # Given as many requests as there may be connections, which all wait for a job
        for _ in range(4):
            busy = held.enter_context(connected(hasty))
            busy.sendall(_AUTHORISED + _JSON + length + body)
        time.sleep(0.2)
        # When others come
        with calling(hasty) as http:
            refused = http.get("/v1/queues")
            # Then they are told to come back
            assert (refused.status_code, refused.json()["code"]) == (503, "too_many_connections")
            assert refused.headers["Retry-After"]
        with calling(hasty) as http:
            assert http.get("/health").status_code in (200, 503)
            assert "database" in http.get("/health").json()


_FLOOD = """
import asyncio, logging, resource, socket, sys
from worker.http.asgi.logs import LimitAcceptErrors
if sys.argv[1] == "limited":
    logging.getLogger("asyncio").addFilter(LimitAcceptErrors())
resource.setrlimit(resource.RLIMIT_NOFILE, (60, 60))
async def main():
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0, backlog=2048)
    port = server.sockets[0].getsockname()[1]
    clients = []
    try:
        while True:
            client = socket.socket()
            clients.append(client)
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", port))
    except OSError:
        clients.pop(0).close()
    await asyncio.sleep(2.5)
asyncio.run(main())
"""


def test_the_file_limit_writes_a_line_and_no_megabytes() -> None:
    # Given a process at its limit, to which clients connect
    ended = subprocess.run(
        [sys.executable, "-c", _FLOOD, "limited"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(ended.stderr) < 10_000
    assert ended.stderr.count("no more files") <= 1


def test_other_lines_of_the_event_loop_pass() -> None:
    record = logging.LogRecord("asyncio", logging.ERROR, "", 1, "Task was destroyed", (), None)
    assert LimitAcceptErrors().filter(record)
