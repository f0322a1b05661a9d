"""Connection pools: connect to checked addresses only, and end every answer at a deadline."""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from actors.errors import AddressForbidden, ProviderUnreachable
from actors.providers.http.addresses import is_allowed, resolve_permitted
from config import current_settings


class _DeadlineStream(socket.SocketIO):
    """Reads an answer until a deadline; a socket's own timeout begins anew with each byte."""

    def __init__(self, sock: socket.socket, seconds: float) -> None:
        super().__init__(sock, "r")
        self._socket = sock
        self._deadline = time.monotonic() + seconds

    def readinto(self, buffer: Any) -> int:
        usual = self._socket.gettimeout()
        # After a freeze of the process the deadline is over, yet what has arrived, tokens maybe,
        # must be read. With a timeout of 0 a socket reads it and does not wait.
        self._socket.settimeout(max(self._deadline - time.monotonic(), 0))
        try:
            count = super().readinto(buffer)
        except ssl.SSLWantReadError:
            count = None
        if count is None:
            raise TimeoutError
        self._socket.settimeout(usual)
        return count


class _DeadlineSocket:
    """The socket that http.client reads an answer from, with a deadline."""

    def __init__(self, sock: socket.socket, seconds: float) -> None:
        self._sock: Any = sock
        self._seconds = seconds

    def makefile(self, _mode: str) -> io.BufferedReader:
        self._sock._io_refs += 1  # As socket.makefile does; the stream releases it when closed.
        return io.BufferedReader(_DeadlineStream(self._sock, self._seconds))


#: Raises what keeps a POST from being sent.
_send_check: Final[ContextVar[Callable[[], None] | None]] = ContextVar("send_check", default=None)


@contextmanager
def check_before_send(check: Callable[[], None]) -> Iterator[None]:
    """Call `check` before each POST of the block is sent, once its connection is established.

    A slow name server or a slow connect may have used up the time by then.
    """
    before = _send_check.set(check)
    try:
        yield
    finally:
        _send_check.reset(before)


class _SingleWriteConnection(HTTPConnection):
    """Sends head and body of a request in one write, which costs one system call instead of two."""

    _parts: list[bytes] | None = None

    def request(self, method: str, *args: Any, **options: Any) -> None:
        parts: list[bytes] = []
        self._parts = parts
        try:
            super().request(method, *args, **options)
        finally:
            self._parts = None
        if self.sock is None:
            self.connect()
        check = _send_check.get()
        if check is not None and method == "POST":
            check()
        self.send(b"".join(parts))

    def send(self, data: Any) -> None:
        if self._parts is None:
            super().send(data)
        else:
            self._parts.append(data)


class _GuardedHTTPConnection(_SingleWriteConnection):
    def _new_conn(self) -> socket.socket:
        if not is_allowed(self.host, self.port, current_settings().allowed_private_hosts):
            raise AddressForbidden
        return _connect_checked(self, super()._new_conn)

    def response_class(self, sock: Any, **options: Any) -> http.client.HTTPResponse:  # type: ignore[override]
        return _make_response(self, sock, options)


class _GuardedHTTPSConnection(_SingleWriteConnection, HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        return _connect_checked(self, super()._new_conn)

    def response_class(self, sock: Any, **options: Any) -> http.client.HTTPResponse:  # type: ignore[override]
        return _make_response(self, sock, options)


def _connect_checked(connection: Any, connect: Callable[[], socket.socket]) -> socket.socket:
    """Connect to a checked address; TLS and the Host header keep the name."""
    name, allowed = connection._dns_host, current_settings().allowed_private_hosts
    failure: Exception = ProviderUnreachable(f"The host {name} has no address.")
    for address in resolve_permitted(name, connection.port, allowed):
        connection._dns_host = address
        try:
            return connect()
        except (NewConnectionError, ConnectTimeoutError) as error:
            failure = error
        finally:
            connection._dns_host = name
    raise failure


def _make_response(connection: Any, sock: Any, options: dict[str, Any]) -> http.client.HTTPResponse:
    answering: Any = _DeadlineSocket(sock, connection.timeout)
    return http.client.HTTPResponse(answering, **options)


class GuardedHTTPPool(HTTPConnectionPool):
    """Kept-alive connections to one host that the operator allows without TLS."""

    ConnectionCls = _GuardedHTTPConnection


class GuardedHTTPSPool(HTTPSConnectionPool):
    """Kept-alive connections to one host."""

    ConnectionCls = _GuardedHTTPSConnection
