"""Calls of scripts: several at once, some that the server has forgotten, and some that fail."""

from __future__ import annotations

import pytest
import redis

from catfeeder.client import Client
from catfeeder.queue.lua_scripts import Call, Script, call_script, call_scripts
from tests.servers import ValkeyServer

_ADD = Script("return redis.call('INCRBY', KEYS[1], ARGV[1])")
_FAIL = Script("return redis.error_reply('NO')")


def _add(count: int) -> Call:
    return Call(_ADD, ["total"], [count])


def test_scripts_run_in_their_order_and_share_a_round_trip(
    client: Client, valkey: ValkeyServer
) -> None:
    assert call_script(client.redis, _add(1)) == 1
    before = valkey.client.info("stats")["total_reads_processed"]
    assert call_scripts(client.redis, [_add(10), _add(100)]) == [11, 111]
    # The second read is that of INFO itself.
    assert valkey.client.info("stats")["total_reads_processed"] - before == 2


def test_each_runs_once_where_some_are_forgotten(client: Client, valkey: ValkeyServer) -> None:
    # Given a server that knows one of two scripts
    valkey.client.script_flush()
    call_script(client.redis, _add(1))
    set_it = Call(Script("redis.call('SET', KEYS[1], ARGV[1]) return 'set'"), ["other"], ["x"])
    # Then both have run, once each
    assert call_scripts(client.redis, [set_it, _add(1)]) == [b"set", 2]
    assert valkey.client.get("other") == b"x"


def test_an_error_is_the_answer_of_its_own_script_alone(client: Client) -> None:
    failed, added = call_scripts(client.redis, [Call(_FAIL, [], []), _add(1)])
    assert isinstance(failed, redis.ResponseError)
    assert added == 1
    # And the connection is as good as before
    with pytest.raises(redis.ResponseError, match="NO"):
        call_script(client.redis, Call(_FAIL, [], []))
    assert call_script(client.redis, _add(1)) == 2
