"""Happy Eyeballs (RFC 8305): connects to the first address that answers, of either family."""

from __future__ import annotations

import errno
import ipaddress
import os
import selectors
import socket
import time
from collections.abc import Iterable, Sequence
from itertools import chain, zip_longest
from typing import Any, Final

SocketOptions = Sequence[tuple[int, int, int | bytes]]
#: The Connection Attempt Delay that RFC 8305 section 5 recommends.
_DELAY_SECONDS: Final = 0.25
_BEGUN: Final = (0, errno.EINPROGRESS, errno.EWOULDBLOCK)


def interleave_families(addresses: Iterable[str]) -> list[str]:
    """Return addresses in their order, with the families by turns (RFC 8305 section 4)."""
    families: dict[int, list[str]] = {}
    for address in addresses:
        families.setdefault(ipaddress.ip_address(address).version, []).append(address)
    turns = chain.from_iterable(zip_longest(*families.values()))
    return [address for address in turns if address is not None]


def connect_any(
    addresses: Sequence[str], port: int, seconds: float, options: SocketOptions = ()
) -> socket.socket:
    """Return a socket, of timeout `seconds`, that is connected to one of the addresses.

    The next address is tried once one fails, or has not answered for a quarter of a second; the
    earlier attempts go on. The first connection is returned, and all others are closed.

    Raises:
        TimeoutError: No address has answered within `seconds`, which all of them share.
        OSError: Each has failed; the error is that of the last one.
    """
    attempts = _Attempts(addresses, port, options)
    try:
        found = attempts.await_first(time.monotonic() + seconds)
    finally:
        attempts.close()
    found.settimeout(seconds)
    return found


class _Attempts:
    """The connections that are being made, and the addresses that are yet to be tried."""

    def __init__(self, addresses: Sequence[str], port: int, options: SocketOptions) -> None:
        self._untried = list(addresses)
        self._port = port
        self._options = options
        self._pending = selectors.DefaultSelector()
        self._next_at = 0.0
        self._failure = OSError("There is no address.")

    def await_first(self, deadline: float) -> socket.socket:
        while True:
            now = time.monotonic()
            if self._untried and now >= self._next_at:
                self._begin(self._untried.pop(0), now)
            elif not self._untried and not self._pending.get_map():
                raise self._failure
            elif now >= deadline:
                raise TimeoutError
            elif found := self._wait(self._wake_at(deadline) - now):
                return found

    def _wake_at(self, deadline: float) -> float:
        return min(deadline, self._next_at) if self._untried else deadline

    def _begin(self, address: str, now: float) -> None:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        try:
            sock = socket.socket(family, socket.SOCK_STREAM)
        except OSError as error:  # The machine may lack one of the families.
            self._failure = error
            return
        try:
            self._connect(sock, address)
        except OSError as error:
            sock.close()
            self._failure = error
        else:
            self._pending.register(sock, selectors.EVENT_WRITE)
            self._next_at = now + _DELAY_SECONDS

    def _connect(self, sock: socket.socket, address: str) -> None:
        for option in self._options:
            sock.setsockopt(*option)
        sock.setblocking(False)
        code = sock.connect_ex((address, self._port))
        if code not in _BEGUN:
            raise OSError(code, os.strerror(code))

    def _wait(self, seconds: float) -> socket.socket | None:
        """Return a connection that is made within so many seconds; drop those that fail."""
        for key, _ in self._pending.select(seconds):
            sock: Any = key.fileobj
            self._pending.unregister(sock)
            code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code == 0:
                return sock  # type: ignore[no-any-return]
            sock.close()
            self._failure = OSError(code, os.strerror(code))
            self._next_at = 0.0
        return None

    def close(self) -> None:
        for key in list(self._pending.get_map().values()):
            sock: Any = key.fileobj
            sock.close()
        self._pending.close()
