"""Hashing through HTTP, queue, worker and result, beside bare bcrypt on all cores."""

from __future__ import annotations

import os
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from typing import Final

import bcrypt

from benchmarks.figures import Figure, spread, table
from benchmarks.load import Request, answers_per_second
from benchmarks.stack import new_stack

_REPEATS: Final = 3
_SECONDS: Final = 8.0
#: The service's default, and bcrypt's own.
_ROUNDS: Final = (10, 12)
_PASSWORD: Final = "correct horse battery staple"


def measure(repeats: int = _REPEATS, seconds: float = _SECONDS) -> list[Figure]:
    """Let bare bcrypt and the stack take turns."""
    with new_stack() as stack:
        service = stack.start()
        found = [_beside_bare(stack.port, rounds, repeats, seconds) for rounds in _ROUNDS]
        service.stop()
    return found


def _beside_bare(port: int, rounds: int, repeats: int, seconds: float) -> Figure:
    body = {"password": _PASSWORD, "rounds": rounds}
    request = Request(port, "/v1/passwords/hash", body, "wait=30")
    # Enough that each worker finds its next job waiting.
    users = 3 * _cores()
    answers_per_second(request, 200, 1, users)
    bare, ours = [], []
    for _ in range(repeats):
        bare.append(_bare_per_second(rounds, seconds))
        ours.append(answers_per_second(request, 200, seconds, users))
    bare.append(_bare_per_second(rounds, seconds))
    # Each of ours stands between two of bcrypt's own.
    ratios = [one / ((bare[at] + bare[at + 1]) / 2) for at, one in enumerate(ours)]
    return Figure(
        f"hashes with {rounds} rounds over HTTP",
        spread(ours, ".1f", "/s"),
        f"bare bcrypt: {spread(bare, '.1f', '/s')}",
        statistics.median(ratios),
        "at least 0.97",
    )


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _bare_per_second(rounds: int, seconds: float) -> float:
    """Hash on every core, in processes that the kernel gives as much of it as those of the stack.

    It parts cores between sessions first, and each process of the stack has one of its own.
    """
    began = time.perf_counter()
    with ProcessPoolExecutor(_cores(), initializer=os.setsid) as pool:
        counts = [pool.submit(_hash_on, rounds, seconds) for _ in range(_cores())]
        total = sum(count.result() for count in counts)
    return total / (time.perf_counter() - began)


def _hash_on(rounds: int, seconds: float) -> int:
    salt = bcrypt.gensalt(rounds)
    ends = time.perf_counter() + seconds
    count = 0
    while time.perf_counter() < ends:
        bcrypt.hashpw(_PASSWORD.encode(), salt)
        count += 1
    return count


if __name__ == "__main__":
    print(table(measure()))
