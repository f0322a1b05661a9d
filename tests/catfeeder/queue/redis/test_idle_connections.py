"""Idle connections: each script goes to a server that listens, on a connection of its own."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from catfeeder.client import Client
from catfeeder.queue.lua_scripts import Call, Script, call_script
from catfeeder.queue.redis.connection import connect_redis
from catfeeder.queue.redis.idle_connections import borrow_connection
from tests.servers import ValkeyServer

_COUNT: Final = Call(Script("return redis.call('INCR', KEYS[1])"), ["total"], [])


def _read_id(client: Client) -> int:
    """Return which of its connections the server takes a script from."""
    with borrow_connection(client.redis.connection_pool) as connection:
        connection.send_command("CLIENT", "ID")
        return int(connection.read_response())


def _count(valkey: ValkeyServer) -> int:
    return len(valkey.client.client_list())


def test_a_script_that_follows_another_goes_the_same_way(client: Client) -> None:
    assert _read_id(client) == _read_id(client)


def test_a_connection_that_the_server_has_closed_is_made_anew(
    client: Client, valkey: ValkeyServer
) -> None:
    # Given a client whose connection the server ends, as it does with idle ones
    call_script(client.redis, _COUNT)
    valkey.client.client_kill_filter(_type="normal", skipme=True)
    # Then the caller notices nothing
    assert call_script(client.redis, _COUNT) == 2


def test_many_threads_have_their_own(client: Client) -> None:
    with ThreadPoolExecutor(8) as threads:
        counts = list(threads.map(lambda _: call_script(client.redis, _COUNT), range(400)))
    assert sorted(counts) == list(range(1, 401))


def test_a_child_does_not_write_to_its_parents_connection(client: Client) -> None:
    # Given a connection that waits for its next script
    mine = _read_id(client)
    # When the process forks, and its child sends one
    child = os.fork()
    if not child:
        os._exit(0 if _read_id(client) != mine else 1)
    # Then it was on another connection, and the parent's is as good as before
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert _read_id(client) == mine


def test_a_client_that_is_closed_leaves_none_open(valkey: ValkeyServer) -> None:
    before = _count(valkey)
    redis = connect_redis(valkey.url)
    call_script(redis, _COUNT)
    assert _count(valkey) == before + 1
    redis.close()
    assert _count(valkey) == before
    # And it may be used again, as redis-py's own clients may
    assert call_script(redis, _COUNT) == 2
    redis.close()
