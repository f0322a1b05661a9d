"""Connection pools: connect to checked addresses only, and end every answer at a deadline."""

from __future__ import annotations

import http.client
import io
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError, ProxyError

from actors.providers.errors import AddressForbidden, ProviderUnreachable
from actors.providers.http.addresses import resolve, resolve_permitted
from actors.providers.http.happy_eyeballs import connect_any
from config import current_settings, is_allowed

_HOST_LINE: Final = re.compile(rb"\r\n(Host: [!-~]+)\r\n")


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


class DeadlineSocket:
    """The socket that http.client reads an answer from, with a deadline."""

    def __init__(self, sock: socket.socket, seconds: float) -> None:
        self._sock: Any = sock
        self._seconds = seconds

    def makefile(self, _mode: str) -> io.BufferedReader:
        """Return the stream that ends at the deadline."""
        self._sock._io_refs += 1  # As socket.makefile does; the stream releases it when closed.
        return io.BufferedReader(_DeadlineStream(self._sock, self._seconds))


#: Takes over the connection of a POST whose answer has not come in time.
_late_keeper: Final[ContextVar[Callable[[socket.socket], None] | None]] = ContextVar(
    "late_keeper", default=None
)


@contextmanager
def keep_late_connections(keep: Callable[[socket.socket], None]) -> Iterator[None]:
    """Call `keep` with the connection of each request of the block that meets its deadline.

    The request fails all the same, but its answer can still be read. `keep` has to close it.
    """
    before = _late_keeper.set(keep)
    try:
        yield
    finally:
        _late_keeper.reset(before)


#: Raises what keeps a request from being sent.
_send_check: Final[ContextVar[Callable[[], None] | None]] = ContextVar("send_check", default=None)


@contextmanager
def check_before_send(check: Callable[[], None]) -> Iterator[None]:
    """Call `check` before each request of the block is sent, once its connection is established.

    A slow name server or a slow connect may have used up the time by then.
    """
    before = _send_check.set(check)
    try:
        yield
    finally:
        _send_check.reset(before)


def check_sending() -> None:
    """Do what `check_before_send` says, right before a request is sent."""
    check = _send_check.get()
    if check is not None:
        check()


def hand_over_late(connection: Any) -> None:
    """Let `keep_late_connections` have the socket of a request that has met its deadline."""
    keep, sock = _late_keeper.get(), connection.sock
    if keep is not None and sock is not None:
        connection.sock = None
        keep(sock)


class _SingleWriteConnection(HTTPConnection):
    """Sends head and body of a request in one write, which costs one system call instead of two."""

    #: As http.client has written it in the first request.
    host_line = ""
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
        check_sending()
        request = b"".join(parts)
        self.host_line = _find_host_line(request)
        self.send(request)

    def getresponse(self) -> Any:
        try:
            return super().getresponse()
        except TimeoutError:
            hand_over_late(self)
            raise

    def send(self, data: Any) -> None:
        if self._parts is None:
            super().send(data)
        else:
            self._parts.append(data)


def _find_host_line(request: bytes) -> str:
    found = _HOST_LINE.search(request)
    return "" if found is None else found[1].decode()


class _GuardedHTTPConnection(_SingleWriteConnection):
    def _new_conn(self) -> socket.socket:
        allowed = current_settings().allowed_private_hosts
        if self.proxy is None and not is_allowed(self.host, self.port, allowed):
            raise AddressForbidden
        return _connect_checked(self)

    def response_class(self, sock: Any, **options: Any) -> http.client.HTTPResponse:  # type: ignore[override]
        return _make_response(self, sock, options)


class _GuardedHTTPSConnection(_SingleWriteConnection, HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        return _connect_checked(self)

    def _tunnel(self) -> None:
        tunnel: Any = super()
        try:
            tunnel._tunnel()
        except (OSError, http.client.HTTPException) as error:
            raise ProxyError("The proxy did not connect.", error) from error

    def response_class(self, sock: Any, **options: Any) -> http.client.HTTPResponse:  # type: ignore[override]
        return _make_response(self, sock, options)


def _connect_checked(connection: Any) -> socket.socket:
    """Connect to a checked address; TLS and the Host header keep the name."""
    try:
        return connect_any(
            _addresses(connection),
            connection.port,
            connection.timeout,
            connection.socket_options or (),
        )
    except TimeoutError as error:
        raise ConnectTimeoutError(connection, "No address has answered in time.") from error
    except OSError as error:
        raise NewConnectionError(connection, f"No address has answered: {error}") from error


def _addresses(connection: Any) -> list[str]:
    """Return the addresses to connect to: the provider's, or the proxy's if one is configured.

    The operator has named the proxy, wherever it is. The provider behind it is checked as if it
    were called directly; the proxy gets its name.
    """
    name, port = connection._dns_host, connection.port
    allowed = current_settings().allowed_private_hosts
    if connection.proxy is None:
        return resolve_permitted(name, port, allowed)
    if connection._tunnel_host is not None:
        _check_behind_proxy(connection._tunnel_host.strip("[]"), connection._tunnel_port, allowed)
    return resolve(name, port)


def _check_behind_proxy(host: str, port: int, allowed: frozenset[str]) -> None:
    if is_allowed(host, port, allowed):
        return
    try:
        resolve_permitted(host, port, allowed)
    except ProviderUnreachable:
        raise ProviderUnreachable(
            f"The host {host} has no address to check before the proxy is asked for it: name it "
            "in OAUTH_ALLOWED_PRIVATE_HOSTS if the proxy alone can resolve it."
        ) from None


def _make_response(connection: Any, sock: Any, options: dict[str, Any]) -> http.client.HTTPResponse:
    answering: Any = DeadlineSocket(sock, connection.timeout)
    return http.client.HTTPResponse(answering, **options)


class GuardedHTTPPool(HTTPConnectionPool):
    """Kept-alive connections to one host that the operator allows without TLS."""

    ConnectionCls = _GuardedHTTPConnection


class GuardedHTTPSPool(HTTPSConnectionPool):
    """Kept-alive connections to one host."""

    ConnectionCls = _GuardedHTTPSConnection
