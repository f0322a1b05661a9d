"""Connections to providers: to checked addresses alone, and with an end to every answer."""

from __future__ import annotations

import http.client
import io
import socket
import time
from collections.abc import Callable
from typing import Any, Final

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError, ProtocolError

from actors.errors import AddressForbidden, ProviderUnreachable
from actors.providers.addresses import is_allowed, permitted_addresses
from config import current_settings

#: What an answer may have beside its body: status line, headers, the frames of its chunks.
_FRAMING_BYTES: Final = 262_144


class _BoundedStream(socket.SocketIO):
    """Reads an answer until a deadline and a number of bytes, however slowly it drips in.

    A socket's own timeout begins anew with each byte, and urllib3 reads the length of a chunk
    without any bound.
    """

    def __init__(self, sock: socket.socket, seconds: float, most_bytes: int) -> None:
        super().__init__(sock, "r")
        self._socket = sock
        self._deadline = time.monotonic() + seconds
        self._bytes_left = most_bytes

    def readinto(self, buffer: Any) -> int | None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        if self._bytes_left <= 0:
            raise ProtocolError("The answer has no end.")
        usual = self._socket.gettimeout()
        self._socket.settimeout(left)
        count = super().readinto(buffer)
        self._socket.settimeout(usual)
        self._bytes_left -= count or 0
        return count


class _Answering:
    """What http.client takes for the socket that an answer comes from."""

    def __init__(self, sock: socket.socket, seconds: float) -> None:
        self._sock: Any = sock
        self._seconds = seconds

    def makefile(self, _mode: str) -> io.BufferedReader:
        most = current_settings().oauth.maximum_answer_bytes + _FRAMING_BYTES
        self._sock._io_refs += 1  # As socket.makefile does; closing the stream takes it back.
        return io.BufferedReader(_BoundedStream(self._sock, self._seconds, most))


class _GuardedHTTPConnection(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        if not is_allowed(self.host, self.port, current_settings().allowed_private_hosts):
            raise AddressForbidden
        return _connected(self, super()._new_conn)

    def response_class(self, sock: Any, **options: Any) -> http.client.HTTPResponse:  # type: ignore[override]
        return _bounded(self, sock, options)


class _GuardedHTTPSConnection(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        return _connected(self, super()._new_conn)

    def response_class(self, sock: Any, **options: Any) -> http.client.HTTPResponse:  # type: ignore[override]
        return _bounded(self, sock, options)


def _connected(connection: Any, connect: Callable[[], socket.socket]) -> socket.socket:
    """Connect to a checked address while TLS and the Host header keep the name."""
    name, allowed = connection._dns_host, current_settings().allowed_private_hosts
    failure: Exception = ProviderUnreachable(f"The host {name} has no address.")
    for address in permitted_addresses(name, connection.port, allowed):
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
