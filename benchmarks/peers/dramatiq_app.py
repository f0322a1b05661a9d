"""Peer: bare Dramatiq, as its guide sets it up."""

from __future__ import annotations

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import Results
from dramatiq.results.backends.redis import RedisBackend

from benchmarks.peers.work import REDIS_URL, check

broker = RedisBroker(url=REDIS_URL)
results = RedisBackend(url=REDIS_URL)
broker.add_middleware(Results(backend=results))

check_password = dramatiq.actor(broker=broker, actor_name="check_password", store_results=True)(
    check
)


def ask(password: str, password_hash: str) -> object:
    """Send the work and wait for its result."""
    message = check_password.send(password, password_hash)
    return message.get_result(backend=results, block=True, timeout=10_000)
