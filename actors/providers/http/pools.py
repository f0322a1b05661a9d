"""Connections to providers: to checked addresses alone, and with an end to every answer."""

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


class _BoundedStream(socket.SocketIO):
    """Reads an answer until a deadline, however slowly it drips in.

    A socket's own timeout begins anew with each byte.
    """

    def __init__(self, sock: socket.socket, seconds: float) -> None:
        super().__init__(sock, "r")
        self._socket = sock
        self._deadline = time.monotonic() + seconds

    def readinto(self, buffer: Any) -> int:
        usual = self._socket.gettimeout()
        # Of a process that was frozen the time is over; what came meanwhile, tokens maybe, is not
        # let go for that. Without any time left a socket waits for nothing.
        self._socket.settimeout(max(self._deadline - time.monotonic(), 0))
        try:
            count = super().readinto(buffer)
        except ssl.SSLWantReadError:
            count = None
        if count is None:
            raise TimeoutError
        self._socket.settimeout(usual)
        return count


class _Answering:
    """What http.client takes for the socket that an answer comes from."""

    def __init__(self, sock: socket.socket, seconds: float) -> None:
        self._sock: Any = sock
        self._seconds = seconds

    def makefile(self, _mode: str) -> io.BufferedReader:
        self._sock._io_refs += 1  # As socket.makefile does; closing the stream takes it back.
        return io.BufferedReader(_BoundedStream(self._sock, self._seconds))


#: Raises what keeps a POST from being sent.
_last_word: Final[ContextVar[Callable[[], None] | None]] = ContextVar("last_word", default=None)


@contextmanager
def check_before_send(check: Callable[[], None]) -> Iterator[None]:
    """Let `check` have the last word on each POST of the block, once its connection stands.

    A name server, or a provider that takes no connection, may have kept us for long by then.
    """
    before = _last_word.set(check)
    try:
        yield
    finally:
        _last_word.reset(before)


class _WholeRequests(HTTPConnection):
    """Sends a request's head and body at once: each call of the system costs as much as either."""

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
        check = _last_word.get()
        if check is not None and method == "POST":
            check()
        self.send(b"".join(parts))

    def send(self, data: Any) -> None:
        if self._parts is None:
            super().send(data)
        else:
            self._parts.append(data)


class _GuardedHTTPConnection(_WholeRequests):
    def _new_conn(self) -> socket.socket:
        if not is_allowed(self.host, self.port, current_settings().allowed_private_hosts):
            raise AddressForbidden
        return _connected(self, super()._new_conn)

    def response_class(self, sock: Any, **options: Any) -> http.client.HTTPResponse:  # type: ignore[override]
        return _bounded(self, sock, options)


class _GuardedHTTPSConnection(_WholeRequests, HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        return _connected(self, super()._new_conn)

    def response_class(self, sock: Any, **options: Any) -> http.client.HTTPResponse:  # type: ignore[override]
        return _bounded(self, sock, options)


def _connected(connection: Any, connect: Callable[[], socket.socket]) -> socket.socket:
    """Connect to a checked address while TLS and the Host header keep the name."""
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


def _bounded(connection: Any, sock: Any, options: dict[str, Any]) -> http.client.HTTPResponse:
    answering: Any = _Answering(sock, connection.timeout)
    return http.client.HTTPResponse(answering, **options)


class GuardedHTTPPool(HTTPConnectionPool):
    """Kept-alive connections to one host that the operator allows without TLS."""

    ConnectionCls = _GuardedHTTPConnection


class GuardedHTTPSPool(HTTPSConnectionPool):
    """Kept-alive connections to one host."""

    ConnectionCls = _GuardedHTTPSConnection
