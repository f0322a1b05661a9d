"""A small HTTP server on loopback, in threads, that keeps a record of each request."""

from __future__ import annotations

import contextlib
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from tests.provider.answers import Answer

_POLL_SECONDS: Final = 0.01


@dataclass(frozen=True)
class Request:
    """What the server was asked."""

    method: str
    path: str
    query: Mapping[str, str]
    form: Mapping[str, str]
    headers: Mapping[str, str]
    #: Tells one connection from another.
    peer_port: int
    #: The body as it came.
    body: bytes = b""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # With the usual 5, threads that connect at once wait a second for one another.
    request_queue_size = 64

    def __init__(self, answer: Callable[[Request], Answer], tls: ssl.SSLContext | None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        if tls is not None:
            self.socket = tls.wrap_socket(
                self.socket, server_side=True, do_handshake_on_connect=False
            )
        self.answer = answer
        self.open_sockets: set[socket.socket] = set()
        self.failures: list[BaseException | None] = []

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        self.open_sockets.add(request)
        super().process_request_thread(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self.open_sockets.discard(request)
        super().shutdown_request(request)

    def handle_error(self, *_arguments: Any) -> None:
        """Keep what failed, but for clients that hang up, which ours must do to some answers."""
        failure = sys.exc_info()[1]
        if not isinstance(failure, OSError):
            self.failures.append(failure)

    def hang_up(self) -> None:
        """End all connections that are kept alive."""
        for kept in list(self.open_sockets):
            with contextlib.suppress(OSError):
                kept.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Else an answer in two writes waits for the client's acknowledgement.
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_DELETE(self) -> None:
        self._answer()

    def log_message(self, *_arguments: Any) -> None:
        pass

    def _answer(self) -> None:
        parts = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        if len(body) < length:
            # Who sent it was killed in the middle.
            self.close_connection = True
            return
        request = Request(
            method=self.command,
            path=parts.path,
            query=dict(parse_qsl(parts.query, keep_blank_values=True)),
            form=dict(parse_qsl(body.decode(), keep_blank_values=True)),
            headers={name.lower(): value for name, value in self.headers.items()},
            peer_port=self.client_address[1],
            body=body,
        )
        answer = self.server.answer(request)
        if answer.pieces is not None:
            self._send_pieces(answer.pieces)
        else:
            self._send(answer)

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def _send_pieces(self, pieces: Iterator[bytes]) -> None:
        self.close_connection = True
        for piece in pieces:
            self.wfile.write(piece)


@contextmanager
def running_server(
    answer: Callable[[Request], Answer], tls: ssl.SSLContext | None = None
) -> Iterator[_Server]:
    """Serve for the block; `answer` is called in the thread of each connection."""
    server = _Server(answer, tls)
    thread = threading.Thread(target=server.serve_forever, args=(_POLL_SECONDS,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.hang_up()
        server.server_close()
        thread.join()
    assert not server.failures, f"the provider of the tests is broken: {server.failures}"
