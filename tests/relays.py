"""A wire between a client and a server that can be cut and mended, and that can speak TLS."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_CHUNK_BYTES: Final = 65536

#: A host and a port, or the path of a unix socket.
Target = tuple[str, int] | str


class Relay:
    """Listens at a port and passes on what comes, both ways, while it is whole."""

    def __init__(self, target: Target, host: str, tls: ssl.SSLContext | None) -> None:
        self.host = host
        self.port = 0
        self._target = target
        self._tls = tls
        self._loop = asyncio.new_event_loop()
        self._whole = asyncio.Event()
        self._stopping = asyncio.Event()
        self._is_ready = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def cut(self) -> None:
        """Pass on nothing more; as with a cable, neither end learns of it."""
        self._loop.call_soon_threadsafe(self._whole.clear)

    def mend(self) -> None:
        """Pass on again, what was held back first."""
        self._loop.call_soon_threadsafe(self._whole.set)

    @contextmanager
    def running(self) -> Iterator[Relay]:
        """Serve for the block."""
        self._thread.start()
        assert self._is_ready.wait(10)
        try:
            yield self
        finally:
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._link, self.host, 0, ssl=self._tls)
        self.port = server.sockets[0].getsockname()[1]
        self._whole.set()
        self._is_ready.set()
        await self._stopping.wait()
        server.close()

    async def _link(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            await self._whole.wait()
            there = await self._connect()
            pumps = (self._pump(reader, there[1]), self._pump(there[0], writer))
            await asyncio.gather(*pumps)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self._target, str):
            return await asyncio.open_unix_connection(self._target)
        return await asyncio.open_connection(*self._target)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError), contextlib.closing(writer):
            while data := await reader.read(_CHUNK_BYTES):
                await self._whole.wait()
                writer.write(data)
                await writer.drain()


@contextmanager
def running_relay(
    target: Target, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
) -> Iterator[Relay]:
    """Run a relay to `target` for the block."""
    with Relay(target, host, tls).running() as relay:
        yield relay
