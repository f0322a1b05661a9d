"""Instant provider: grants a pair of tokens at once, and counts: `python -m ... PORT`."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Final

_HEAD: Final = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"


class Counts:
    """The tokens that were granted since the counts were last reset, and when."""

    def __init__(self) -> None:
        """Begin at none."""
        self.granted = 0
        self.first_at = 0.0
        self.last_at = 0.0

    def grant(self) -> None:
        """Count one."""
        self.last_at = time.monotonic()
        self.first_at = self.first_at if self.granted else self.last_at
        self.granted += 1


class InstantProvider(asyncio.Protocol):
    """One connection, kept alive: POST grants tokens, GET /figures returns the counts."""

    serial = 0
    counts = Counts()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin a connection."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101
        self._transport = transport
        self._received = b""

    def data_received(self, data: bytes) -> None:
        """Answer each request that is complete."""
        self._received += data
        while (answer := self._next_answer()) is not None:
            self._transport.write((_HEAD % len(answer)).encode() + answer)

    def _next_answer(self) -> bytes | None:
        head, end, rest = self._received.partition(b"\r\n\r\n")
        length = head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0]
        if not end or len(rest) < int(length or 0):
            return None
        self._received = rest[int(length or 0) :]
        if head.startswith(b"POST"):
            return _grant()
        return _report(is_kept=b"?keep" in head.split(b"\r\n", 1)[0])


def _grant() -> bytes:
    InstantProvider.counts.grant()
    InstantProvider.serial += 1
    number = f"{InstantProvider.serial:040}"
    return json.dumps(
        {
            "access_token": f"access-{number}",
            "refresh_token": f"refresh-{number}",
            "token_type": "Bearer",
            "expires_in": 3600,
            "scope": "email",
        }
    ).encode()


def _report(*, is_kept: bool) -> bytes:
    """Return the tokens granted and the seconds that took, and reset the counts unless kept."""
    counts = InstantProvider.counts
    InstantProvider.counts = counts if is_kept else Counts()
    return json.dumps([counts.granted, counts.last_at - counts.first_at]).encode()


async def _serve(port: int) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(InstantProvider, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
