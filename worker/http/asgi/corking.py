"""Corking: the head of an answer and the first part of its body go to the kernel in one call."""

from __future__ import annotations

import asyncio


class HeadWithBody:
    """Writes an answer; its head waits for what follows, no longer than until the loop's next turn.

    An application sends both without a pause, and the client too wakes once for both.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held = b""

    def write(self, data: bytes) -> None:
        """Hold the first part; write any other, after what is held."""
        if self._held:
            data, self._held = self._held + data, b""
            self._transport.write(data)
        else:
            self._held = data
            self._loop.call_soon(self._flush)

    def close(self) -> None:
        """Write what is held, and close the connection."""
        self._flush()
        self._transport.close()

    def is_closing(self) -> bool:
        """Return whether the connection is ending."""
        return self._transport.is_closing()

    def _flush(self) -> None:
        if self._held:
            held, self._held = self._held, b""
            self._transport.write(held)
