"""Serves an application on a free port, by the server that the Procfile names, and calls it."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import httpx
import uvicorn
from fastapi import FastAPI

from worker.http.asgi.connections import GuardedProtocol

_START_SECONDS: Final = 60
#: Reading all certificate authorities for each caller would take longer than most tests.
_NO_AUTHORITIES: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class _Server(uvicorn.Server):
    """Ends as soon as it is told to, where its own looks every tenth of a second, and once more."""

    def __init__(self, config: uvicorn.Config) -> None:
        """Take what and how to serve."""
        super().__init__(config)
        self._ending = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen."""
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)

    async def main_loop(self) -> None:
        """Wait for the end."""
        await self.on_tick(0)
        await self._ending.wait()

    def end(self) -> None:
        """End, from another thread."""
        self.should_exit = True
        if self.started:
            self._loop.call_soon_threadsafe(self._ending.set)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Wait for connections only where there are any, a moment after the callers have gone."""
        await asyncio.sleep(0.002)
        if self.server_state.connections or self.server_state.tasks:
            await super().shutdown(sockets)
            return
        for server in self.servers:
            server.close()
        await self.lifespan.shutdown()


@contextmanager
def served(app: FastAPI, protocol: type[GuardedProtocol] = GuardedProtocol) -> Iterator[str]:
    """Serve for the block and yield the URL."""
    config = uvicorn.Config(
        app, port=0, log_config=None, timeout_graceful_shutdown=1, http=protocol
    )
    server = _Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        _await_start(server, thread)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.end()
        thread.join()


def _await_start(server: uvicorn.Server, thread: threading.Thread) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not server.started:
        assert thread.is_alive(), "the server ended at once"
        assert time.monotonic() < deadline, "the server did not start in time"
        time.sleep(0.002)


def calling(url: str, **more: Any) -> httpx.Client:
    """Return a client with a connection to the application, and with cookies of its own."""
    return httpx.Client(base_url=url, timeout=60, verify=_NO_AUTHORITIES, **more)
