"""A range server of the tests: answers prefixes as Have I Been Pwned does, or not at all."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class ScriptedRanges(ThreadingHTTPServer):
    """Serves the lines of prefixes; `status`, `text` and `released` are for what goes wrong."""

    def __init__(self, ranges: Mapping[str, str]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.ranges = ranges
        self.status = 200
        #: What is answered in place of lines.
        self.text: str | None = None
        self.asked: list[str] = []
        self.wants_padding: list[str | None] = []
        self.released = threading.Event()
        self.released.set()

    @property
    def host(self) -> str:
        """Its host and port."""
        return f"127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: ScriptedRanges

    def do_GET(self) -> None:
        self.server.asked.append(self.requestline)
        self.server.wants_padding.append(self.headers["Add-Padding"])
        self.server.released.wait(10)
        lines = self.server.ranges.get(self.path.rpartition("/")[2].partition("?")[0], "")
        digits = 27 if self.path.endswith("mode=ntlm") else 35
        padding = f"{'0' * (digits - 1)}1:0\r\n{lines}\r\n"
        padded = (padding if self.server.text is None else self.server.text).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(padded)))
        self.end_headers()
        self.wfile.write(padded)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@contextmanager
def serve_ranges(ranges: Mapping[str, str]) -> Iterator[ScriptedRanges]:
    """Serve until the end of the block."""
    with ScriptedRanges(ranges) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.released.set()
        server.shutdown()
