"""Pre-flight check of the broker: tries what jobs need, so that a start names what is missing."""

from __future__ import annotations

import contextlib
import logging
import uuid
from typing import Final

import redis
from redis.exceptions import OutOfMemoryError

from catfeeder.errors import QueueUnreachable, QueueUnusable
from catfeeder.queue.broker import NAMESPACE
from catfeeder.queue.jobs.scripts import CHANNEL_PREFIX
from catfeeder.queue.lanes import NOTIFICATION_PREFIX
from catfeeder.queue.lua_scripts import Call, Script, call_script
from catfeeder.queue.redis.connection import translate_redis_errors
from catfeeder.queue.redis.faults import refuse_old_version

_LOG = logging.getLogger(__name__)

_PREFIX: Final = f"{NAMESPACE}:check:"
_KINDS: Final = ("list", "hash", "set", "sorted set", "string")
_CHANNEL: Final = f"{NOTIFICATION_PREFIX}check"
_LISTEN_SECONDS: Final = 2.0

# The commands of all scripts, on keys of their own, which a cluster would spread over servers.
_PROBE: Final = Script(
    f"""
redis.call('RPUSH', KEYS[1], 'x') redis.call('LPUSH', KEYS[1], 'y')
redis.call('LLEN', KEYS[1]) redis.call('LPOP', KEYS[1])
redis.call('HSET', KEYS[2], 'x', 'y') redis.call('HGET', KEYS[2], 'x')
redis.call('HGETALL', KEYS[2]) redis.call('HEXISTS', KEYS[2], 'x') redis.call('HKEYS', KEYS[2])
redis.call('HDEL', KEYS[2], 'x')
redis.call('SADD', KEYS[3], 'x') redis.call('SMEMBERS', KEYS[3]) redis.call('SCARD', KEYS[3])
redis.call('SREM', KEYS[3], 'x')
redis.call('ZADD', KEYS[4], 1, 'x') redis.call('ZRANGE', KEYS[4], 0, -1)
redis.call('ZRANGEBYSCORE', KEYS[4], 0, 1) redis.call('ZSCORE', KEYS[4], 'x')
redis.call('ZREM', KEYS[4], 'x')
redis.call('SET', KEYS[5], 1, 'EX', 60) redis.call('GET', KEYS[5]) redis.call('INCR', KEYS[5])
redis.call('EXPIRE', KEYS[5], 60) redis.call('EXISTS', KEYS[5])
for _, key in ipairs(KEYS) do redis.call('DEL', key) end
redis.call('PUBLISH', '{_CHANNEL}', '')
return 1
""",
    runs_when_full=True,
)


def check_abilities(client: redis.Redis) -> None:
    """Try what jobs need: a version, a script with its keys, a channel, and a blocking command.

    Raises:
        QueueUnusable: The server answers and refuses it; the sentence says what to change.
        QueueUnreachable: It does not answer, or takes no writes for now.
    """
    with translate_redis_errors():
        client.ping()
        _check_version(client)
        # Several processes may start at once, and take no key from each other.
        keys = [f"{_PREFIX}{uuid.uuid4()}:{kind}" for kind in _KINDS]
        call_script(client, Call(_PROBE, keys, []))
        _check_commands(client, keys[0])
        _check_channels(client)


def _check_version(client: redis.Redis) -> None:
    try:
        server = client.info("server")
    except redis.ResponseError:
        # Without the right to INFO the commands themselves tell.
        return
    sentence = refuse_old_version(str(server.get("redis_version", "")))
    if sentence is not None:
        raise QueueUnusable(sentence)


def _check_commands(client: redis.Redis, key: str) -> None:
    """Call the commands that stand in no script."""
    with contextlib.suppress(OutOfMemoryError), client.pipeline(transaction=False) as pipe:
        # With something to take: a server looks at timeouts ten times a second, however short.
        pipe.rpush(key, "x")
        pipe.execute_command("BLMOVE", key, key, "LEFT", "LEFT", 0.001)
        pipe.delete(key)
        pipe.execute()
    with client.pipeline(transaction=False) as pipe:
        pipe.get(key)
        pipe.exists(key)
        pipe.hgetall(key)
        pipe.hvals(key)
        pipe.hmget(key, ["x"])
        pipe.lindex(key, 0)
        pipe.zrange(key, 0, 0)
        pipe.scan(0, match=key, count=1)
        pipe.execute()


def _check_channels(client: redis.Redis) -> None:
    with client.pubsub() as subscription:
        subscription.psubscribe(f"{CHANNEL_PREFIX}*")
        subscription.subscribe(_CHANNEL)
        for _ in range(2):
            subscription.get_message(timeout=_LISTEN_SECONDS)


def check_if_reachable(client: redis.Redis) -> None:
    """Do the same at the start of a process that waits for a server that is away.

    Raises:
        QueueUnusable: The server answers and refuses what jobs need.
    """
    try:
        check_abilities(client)
    except QueueUnusable:
        raise
    except QueueUnreachable as error:
        _LOG.warning("%s", error)
