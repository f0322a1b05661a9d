"""What it costs to send a job, sealed and with its record, beside Dramatiq's plain send."""

from __future__ import annotations

import importlib
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

import catfeeder
from benchmarks.figures import Figure, spread, table
from benchmarks.stack import SECRET_KEY
from catfeeder.client import Client
from catfeeder.sealing import QUEUE_LABEL, Secret, derive_key, key_to_text
from worker.embedded_valkey import EmbeddedValkey

_BATCHES: Final = 20
_SENDS: Final = 500
_PASSWORD: Final = "correct horse battery staple"
_HASH: Final = "$2b$10$0123456789012345678901uL8hZ4yqg1VQ3m1m4nq7T0p3iVw4rGK"


@contextmanager
def lone_broker() -> Iterator[Client]:
    """Start a Valkey that nobody consumes from, and connect a client to it."""
    with tempfile.TemporaryDirectory(prefix="cf-") as directory:
        valkey = EmbeddedValkey(Path(directory))
        valkey.start()
        key = derive_key(Secret(SECRET_KEY), QUEUE_LABEL)
        try:
            with closing(catfeeder.connect(valkey.url, key_to_text(key))) as client:
                os.environ["BENCHMARK_REDIS_URL"] = valkey.url
                yield client
        finally:
            valkey.stop()


def measure(batches: int = _BATCHES, sends: int = _SENDS) -> list[Figure]:
    """Send batches in turn, so that whatever else the machine does hits both alike."""
    with lone_broker() as client:
        plain = importlib.import_module("benchmarks.peers.dramatiq_app").send_alone
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


def _microseconds_each(send: Callable[[], object], sends: int) -> float:
    send()
    began = time.perf_counter()
    for _ in range(sends):
        send()
    return (time.perf_counter() - began) / sends * 1e6


if __name__ == "__main__":
    print(table(measure()))
