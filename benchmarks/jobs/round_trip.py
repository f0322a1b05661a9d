"""Round trip on an idle stack, from the call to the result, less bcrypt's own time."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable
from contextlib import closing
from typing import Final

import bcrypt

from benchmarks.measuring.figures import Figure, milliseconds, percentile, table
from benchmarks.measuring.stack import new_stack
from benchmarks.peers.contenders import running_peers

_ROUNDS: Final = 100
_WARM_UPS: Final = 3
_PASSWORD: Final = "correct horse battery staple"
#: Each contender is idle between two of its turns; the pauses differ, so that no rhythm forms.
_PAUSE_SECONDS: Final = (0.05, 0.15)

Durations = dict[str, list[float]]


def measure() -> list[Figure]:
    """Ask every contender in turn, again and again, on the same broker."""
    return figures(sample())


def sample(rounds: int = _ROUNDS) -> Durations:
    """Return each contender's durations in seconds, ours under the name of our two calls."""
    password_hash = bcrypt.hashpw(_PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    with new_stack() as stack:
        service = stack.start()
        with closing(stack.client()) as client, running_peers(stack.redis_url) as peers:
            asks: dict[str, Callable[[], object]] = {
                "check_password": lambda: client.check_password(_PASSWORD, password_hash).result(),
                "hash_password": lambda: client.hash_password(_PASSWORD, rounds=4).result(),
            }
            for name, ask in peers.items():
                asks[name] = lambda ask=ask: ask(_PASSWORD, password_hash)  # type: ignore[misc]
            own = _seconds_of_bcrypt(password_hash)
            durations = _in_turn(asks, rounds)
        service.stop()
    return {name: [max(0, one - own) for one in taken] for name, taken in durations.items()}


def _seconds_of_bcrypt(password_hash: str) -> float:
    def once() -> float:
        began = time.perf_counter()
        bcrypt.checkpw(_PASSWORD.encode(), password_hash.encode())
        return time.perf_counter() - began

    return statistics.median(once() for _ in range(100))


def _in_turn(asks: dict[str, Callable[[], object]], rounds: int) -> Durations:
    durations: Durations = {name: [] for name in asks}
    for number in range(_WARM_UPS + rounds):
        for name, ask in asks.items():
            time.sleep(random.uniform(*_PAUSE_SECONDS))  # noqa: S311
            began = time.perf_counter()
            ask()
            if number >= _WARM_UPS:
                durations[name].append(time.perf_counter() - began)
    return durations


def figures(durations: Durations) -> list[Figure]:
    """Compare the medians with those of our `check_password`."""
    ours = percentile(durations["check_password"], 50)
    goals = {"check_password": "p50 < 3.3 ms, p99 < 15 ms", "Celery": "ahead", "RQ": "ahead"}
    return [
        Figure(
            f"idle round trip less bcrypt: {name}",
            milliseconds(taken),
            beside="check_password" if name != "check_password" else "",
            ratio=percentile(taken, 50) / ours if name != "check_password" else None,
            goal=goals.get(name, ""),
        )
        for name, taken in durations.items()
    ]


if __name__ == "__main__":
    print(table(measure()))
