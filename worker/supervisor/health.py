"""Health probe: asks the HTTP shim for `GET /health`, as a load balancer would."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Collection
from typing import Final

from config import reachable_host

_ANSWER_SECONDS: Final = 5.0
_STATUS_LINE: Final = re.compile(rb"HTTP/1\.[01] (\d{3})\b")


async def read_health_status(host: str, port: int, trusted_hosts: Collection[str]) -> int | None:
    """Return the status of `GET /health`, asked in the name of a trusted host; None unanswered."""
    host_header = next((name for name in trusted_hosts if "*" not in name), "localhost")
    request = f"GET /health HTTP/1.1\r\nHost: {host_header}\r\nConnection: close\r\n\r\n"
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            status_line = await _first_line(reachable_host(host), port, request.encode())
    except (OSError, TimeoutError):
        return None
    found = _STATUS_LINE.match(status_line)
    return int(found[1]) if found else None


async def _first_line(host: str, port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(host, port)
    with contextlib.closing(writer):
        writer.write(request)
        return await reader.readline()
