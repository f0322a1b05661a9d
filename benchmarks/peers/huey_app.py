"""Peer: Huey, as its guide sets it up."""

from __future__ import annotations

from huey import RedisHuey

from benchmarks.peers.work import REDIS_URL, check

huey = RedisHuey("benchmark", url=REDIS_URL)
check_password = huey.task(name="check_password")(check)


def ask(password: str, password_hash: str) -> object:
    """Send the work and wait for its result."""
    return check_password(password, password_hash).get(blocking=True, timeout=10)
