"""Idle connections: those of a pool that the next script of this process takes, last in, first out.

To take a connection out of redis-py's pool and to put it back costs as much as a script.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final
from weakref import WeakKeyDictionary

import redis

_Connections = deque[Any]
#: By pool, whose they are: a process and its connections. The pool counts them as in use.
_IDLE: Final[WeakKeyDictionary[redis.ConnectionPool, tuple[int, _Connections]]] = (
    WeakKeyDictionary()
)


@contextmanager
def borrow_connection(pool: redis.ConnectionPool) -> Iterator[Any]:
    """Lend a connection on which no bytes are unread, to one thread.

    Raises:
        redis.ConnectionError: The server cannot be reached.
    """
    idle = _idle_connections(pool)
    connection = _take(pool, idle) or pool.get_connection()
    try:
        if not connection.is_connected:
            # To send would connect it to where it led before, and ask no sentinel.
            connection.connect()
        yield connection
    finally:
        idle.append(connection)


@contextmanager
def borrow_made_connection(pool: redis.ConnectionPool) -> Iterator[Any]:
    """Lend a connection that is made, or None where one would have to be."""
    idle = _idle_connections(pool)
    connection = _take(pool, idle)
    try:
        yield connection if connection is not None and connection.is_connected else None
    finally:
        if connection is not None:
            idle.append(connection)


def _idle_connections(pool: redis.ConnectionPool) -> _Connections:
    process, idle = _IDLE.get(pool, (0, None))
    if idle is None or process != os.getpid():
        # A child shares no connection with its parent.
        _, idle = _IDLE[pool] = os.getpid(), deque[Any]()
    return idle


def _take(pool: redis.ConnectionPool, idle: _Connections) -> Any:
    """Return an idle connection, which may be lost, or None where there is none."""
    try:
        connection = idle.pop()
    except IndexError:
        return None
    if not _is_clean(pool, connection):
        connection.disconnect()
    return connection


def _is_clean(pool: redis.ConnectionPool, connection: Any) -> bool:
    """Return whether it is still the pool's server that would read what is sent next."""
    if connection.should_reconnect() or not pool.owns_connection(connection):
        return False
    try:
        return not connection.can_read()
    except (redis.ConnectionError, redis.TimeoutError, OSError):
        return False
