"""Peer: RQ, as its guide sets it up."""

from __future__ import annotations

import redis
from rq import Queue

from benchmarks.peers.work import REDIS_URL, check

queue = Queue(connection=redis.Redis.from_url(REDIS_URL))


def ask(password: str, password_hash: str) -> object:
    """Send the work and wait for its result."""
    found = queue.enqueue(check, password, password_hash).latest_result(timeout=10)
    return found and found.return_value
