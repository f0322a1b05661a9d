"""Load generator: sends one HTTP request over and over, at little cost to the machine."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

from benchmarks.measuring.stack import ADMIN_API_KEY


@dataclass(frozen=True, slots=True)
class Request:
    """A request and its address."""

    port: int
    path: str
    body: dict[str, Any]
    prefer: str = "respond-async"

    def encoded(self) -> bytes:
        """Return it as it goes over the wire."""
        body = json.dumps(self.body).encode()
        head = (
            f"POST {self.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            f"Authorization: Bearer {ADMIN_API_KEY}\r\nPrefer: {self.prefer}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


def answers_per_second(request: Request, status: int, seconds: float, connections: int) -> float:
    """Return how many answers with `status` come each second; any other one is an error."""
    return asyncio.run(_load(request, status, seconds, connections))


async def _load(request: Request, status: int, seconds: float, connections: int) -> float:
    began = time.perf_counter()
    ends = began + seconds
    statuses: Counter[int] = Counter()
    users = [_user(request, ends, statuses) for _ in range(connections)]
    await asyncio.gather(*users)
    if set(statuses) != {status}:
        raise RuntimeError(f"{request.path} was answered with {dict(statuses)}")
    return statuses[status] / (time.perf_counter() - began)


async def _user(request: Request, ends: float, statuses: Counter[int]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", request.port)
    encoded = request.encoded()
    while time.perf_counter() < ends:
        writer.write(encoded)
        statuses[await _status(reader)] += 1
    writer.close()


async def _status(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    length = head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]
    await reader.readexactly(int(length))
    return int(head.split(b" ", 2)[1])
