"""A forward proxy on loopback: tunnels by CONNECT, and forwards requests of http URLs."""

from __future__ import annotations

import base64
import contextlib
import selectors
import socket
import socketserver
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import urlsplit

_PIECE: Final = 65536


class Proxy(socketserver.ThreadingTCPServer):
    """Connects names to loopback, as a proxy does that alone can resolve them."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.host = f"127.0.0.1:{self.server_address[1]}"
        #: The first line of each request, and its Proxy-Authorization.
        self.asked: list[tuple[str, str | None]] = []
        #: What is answered instead of connecting.
        self.refusal: bytes | None = None


class _Handler(socketserver.StreamRequestHandler):
    server: Proxy
    #: Read no more than the head, so that the rest is left to be relayed.
    rbufsize = 0

    def handle(self) -> None:
        head = self._read_head()
        if not head:
            return
        first, *lines = head.decode().splitlines()
        headers = {name.lower(): text for name, _, text in (line.partition(": ") for line in lines)}
        self.server.asked.append((first, _credentials(headers)))
        if self.server.refusal is not None:
            self.wfile.write(self.server.refusal)
            return
        method, target, _ = first.split(" ")
        port = int(target.rpartition(":")[2]) if method == "CONNECT" else urlsplit(target).port
        with socket.create_connection(("127.0.0.1", port or 80)) as upstream:
            if method == "CONNECT":
                self.wfile.write(b"HTTP/1.1 200 Connected\r\n\r\n")
            else:
                upstream.sendall(head)
            self._relay(upstream)

    def _read_head(self) -> bytes:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = self.rfile.readline()
            if not line:
                return b""
            head += line
        return head

    def _relay(self, upstream: socket.socket) -> None:
        with selectors.DefaultSelector() as selector, contextlib.suppress(OSError):
            selector.register(self.connection, selectors.EVENT_READ, upstream)
            selector.register(upstream, selectors.EVENT_READ, self.connection)
            while True:
                for key, _ in selector.select():
                    source: Any = key.fileobj
                    piece = source.recv(_PIECE)
                    if not piece:
                        return
                    key.data.sendall(piece)


def _credentials(headers: Mapping[str, str]) -> str | None:
    _, _, text = headers.get("proxy-authorization", "").partition(" ")
    return base64.b64decode(text).decode() if text else None


@contextmanager
def running_proxy() -> Iterator[Proxy]:
    """Run a proxy for the block."""
    with Proxy() as proxy:
        thread = threading.Thread(target=proxy.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            proxy.shutdown()
            thread.join()
