"""Cost of a sealed send with the job's record, beside Dramatiq's plain send."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from redis import ConnectionPool

import catfeeder
from benchmarks.measuring.caretaker import ensure_caretaker
from benchmarks.measuring.figures import Figure, spread, table
from benchmarks.measuring.stack import SECRET_KEY
from catfeeder.queue.keys import AppKey
from catfeeder.queue.requester import DEFAULT_APP
from catfeeder.sealing import QUEUE_LABEL, Secret, derive_key
from worker.supervisor.valkey.embedded import EmbeddedValkey

_BATCHES: Final = 100
_SENDS: Final = 100
_PASSWORD: Final = "correct horse battery staple"
_HASH: Final = "$2b$10$0123456789012345678901uL8hZ4yqg1VQ3m1m4nq7T0p3iVw4rGK"


@contextmanager
def lone_valkey() -> Iterator[str]:
    """Start a Valkey without consumers, and yield its URL."""
    ensure_caretaker()
    with tempfile.TemporaryDirectory(prefix="cf-", dir="/tmp") as directory:
        valkey = EmbeddedValkey(Path(directory))
        valkey.start()
        try:
            yield valkey.url
        finally:
            valkey.stop()


def measure(batches: int = _BATCHES, sends: int = _SENDS) -> list[Figure]:
    """Send batches in turn, so that other load of the machine affects both alike."""
    root = derive_key(Secret(SECRET_KEY), QUEUE_LABEL)
    key = AppKey.derive(root, DEFAULT_APP, 1).to_text()
    with (
        lone_valkey() as url,
        closing(catfeeder.connect(url, key)) as client,
        closing(ConnectionPool.from_url(url)) as pool,
    ):
        plain = dramatiq.actor(broker=RedisBroker(connection_pool=pool))(_work)
        ways: dict[str, Callable[[], object]] = {
            "plain": lambda: plain.send(_PASSWORD, _HASH),
            "sealed": lambda: client.check_password(_PASSWORD, _HASH),
        }
        taken: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(batches):
            for name, send in ways.items():
                taken[name].append(_microseconds_each(send, sends))
                client.redis.flushall()
    ratios = [ours / its for ours, its in zip(taken["sealed"], taken["plain"], strict=True)]
    return [
        Figure(
            "a sealed send with its job",
            spread(taken["sealed"], ".0f", "µs"),
            f"Dramatiq's plain send: {spread(taken['plain'], '.0f', 'µs')}",
            statistics.median(ratios),
            "at most 1.2",
        )
    ]


def _work(password: str, password_hash: str) -> None:
    """Stand for an actor; no worker performs it."""


def _microseconds_each(send: Callable[[], object], sends: int) -> float:
    send()
    began = time.perf_counter()
    for _ in range(sends):
        send()
    return (time.perf_counter() - began) / sends * 1e6


if __name__ == "__main__":
    print(table(measure()))
