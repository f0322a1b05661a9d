"""Durability check: whether the Redis of REDIS_URL keeps the jobs that it has accepted."""

from __future__ import annotations

import redis

from catfeeder.errors import QueueUnusable
from catfeeder.queue.redis.connection import translate_redis_errors


def describe_risks(client: redis.Redis) -> list[str]:
    """Return one sentence, with the remedy, for each setting that may lose jobs.

    It reads `INFO`, which Redis providers allow where they forbid `CONFIG`.

    Raises:
        QueueUnreachable: Redis did not answer.
    """
    try:
        with translate_redis_errors():
            memory, persistence = client.info("memory"), client.info("persistence")
    except QueueUnusable:
        return ["The settings of the Redis of REDIS_URL cannot be seen: let our user call INFO."]
    risks = []
    policy = memory.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        risks.append(
            "The Redis of REDIS_URL drops jobs when its memory is full: set its maxmemory-policy,"
            f" which is {policy}, to noeviction."
        )
    if not persistence.get("aof_enabled", 0):
        risks.append(
            "The Redis of REDIS_URL forgets accepted jobs when it ends: set its appendonly to yes."
        )
    return risks
