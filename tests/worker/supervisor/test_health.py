"""Health probe: the answers that count as healthy, and the host in whose name it asks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from config import reachable_host
from worker.supervisor.health import read_health_status

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def answering(answer: Callable[[str], str]) -> AsyncIterator[int]:
    """Serve one answer, made from the request, and yield the port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        writer.write(answer(request.decode()).encode())
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.parametrize(
    ("status_line", "expected"),
    [
        ("HTTP/1.1 200 OK", 200),
        ("HTTP/1.1 503 Service Unavailable", 503),
        ("HTTP/1.1 2000", None),
        ("cats", None),
        ("", None),
    ],
)
async def test_the_status_is_that_of_http(status_line: str, expected: int | None) -> None:
    async with answering(lambda _: f"{status_line}\r\n\r\n") as port:
        assert await read_health_status("127.0.0.1", port, ["localhost"]) == expected


async def test_a_host_that_the_shim_trusts_is_named() -> None:
    # Given a shim that answers to one name alone
    def answer(request: str) -> str:
        is_trusted = "Host: api.example.com\r\n" in request
        return f"HTTP/1.1 {200 if is_trusted else 400} \r\n\r\n"

    async with answering(answer) as port:
        trusted = ["*.example.com", "api.example.com"]
        assert await read_health_status("127.0.0.1", port, trusted) == 200
        assert await read_health_status("127.0.0.1", port, ["*"]) == 400


async def test_a_port_without_a_listener_has_no_status() -> None:
    async with answering(lambda _: "") as port:
        pass

    assert await read_health_status("127.0.0.1", port, ["localhost"]) is None


def test_a_wildcard_address_is_asked_at_the_loopback() -> None:
    assert reachable_host("0.0.0.0") == "127.0.0.1"  # noqa: S104
    assert reachable_host("::") == "::1"
    assert reachable_host("192.0.2.1") == "192.0.2.1"
