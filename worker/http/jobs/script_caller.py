"""Script caller: sends scripts from the event loop, and leaves to a thread what may block it.

Measured on a job that is waited for: a thread for each call costs a fifth of the web process's core
time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Any, Final

import redis
from redis.exceptions import NoScriptError

from catfeeder.queue.lua_scripts import (
    Call,
    call_scripts,
    read_answers,
    repeat_forgotten,
    send_calls,
)
from catfeeder.queue.redis.idle_connections import borrow_made_connection

_SILENCE: Final = "Timeout reading from socket"


class ScriptCaller:
    """Calls scripts on connections that a client's threads may use as well."""

    def __init__(self, client: redis.Redis, threads: Executor) -> None:
        """`threads` make connections, and teach a server its scripts."""
        self._client = client
        self._threads = threads
        self._seconds: float | None = client.connection_pool.connection_kwargs["socket_timeout"]

    async def call(self, calls: Sequence[Call]) -> list[Any]:
        """Return as `call_scripts` does, and raise what it raises."""
        with borrow_made_connection(self._client.connection_pool) as connection:
            if connection is not None:
                answers = await self._ask(connection, calls)
        if connection is None:
            return await self._in_thread(call_scripts, self._client, calls)
        if any(isinstance(answer, NoScriptError) for answer in answers):
            return await self._in_thread(repeat_forgotten, self._client, calls, answers)
        return answers

    async def _ask(self, connection: Any, calls: Sequence[Call]) -> list[Any]:
        try:
            send_calls(connection, calls)
            await _wait_until_readable(connection._sock.fileno(), self._seconds)
            return read_answers(connection, len(calls))
        except BaseException:
            # What comes now is no other script's answer.
            connection.disconnect()
            raise

    async def _in_thread(self, function: Callable[..., list[Any]], *arguments: Any) -> list[Any]:
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)


async def _wait_until_readable(descriptor: int, seconds: float | None) -> None:
    """Wait for the first bytes.

    Raises:
        redis.TimeoutError: None came in `seconds`.
    """
    loop = asyncio.get_running_loop()
    readable: asyncio.Future[None] = loop.create_future()
    loop.add_reader(descriptor, _resolve, readable)
    timer = None if seconds is None else loop.call_later(seconds, _fail, readable)
    try:
        await readable
    finally:
        loop.remove_reader(descriptor)
        if timer is not None:
            timer.cancel()


def _resolve(readable: asyncio.Future[None]) -> None:
    if not readable.done():
        readable.set_result(None)


def _fail(readable: asyncio.Future[None]) -> None:
    if not readable.done():
        readable.set_exception(redis.TimeoutError(_SILENCE))
