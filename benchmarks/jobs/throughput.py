"""Throughput of hashing through HTTP, queue and worker, beside bare bcrypt on all cores."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Final, NamedTuple

import bcrypt

from benchmarks.measuring.figures import Figure, spread, table
from benchmarks.measuring.load import Request, answers_per_second
from benchmarks.measuring.stack import Stack, new_stack

_REPEATS: Final = 3
_SECONDS: Final = 8.0
#: The service's default, and bcrypt's own.
_ROUNDS: Final = (10, 12)
_PASSWORD: Final = "correct horse battery staple"


class _Sample(NamedTuple):
    """The measurement of some seconds of hashing."""

    per_second: float
    core_milliseconds: float
    #: The core time of the client for each request: of the same cores, but no part of the service.
    asking_milliseconds: float = 0


def measure(repeats: int = _REPEATS, seconds: float = _SECONDS) -> list[Figure]:
    """Measure bare bcrypt and the stack in turn."""
    with new_stack() as stack:
        service = stack.start()
        found = [_measure_beside_bare(stack, rounds, repeats, seconds) for rounds in _ROUNDS]
        service.stop()
    return [figure for figures in found for figure in figures]


def _measure_beside_bare(stack: Stack, rounds: int, repeats: int, seconds: float) -> list[Figure]:
    body = {"password": _PASSWORD, "rounds": rounds}
    request = Request(stack.port, "/v1/passwords/hash", body, "wait=30")
    # Enough that each worker finds its next job waiting.
    users = 3 * _count_cores()
    answers_per_second(request, 200, 1, users)
    bare, ours = [], []
    for _ in range(repeats):
        bare.append(_measure_bare(rounds, seconds))
        ours.append(_through_all(stack, request, seconds, users))
    bare.append(_measure_bare(rounds, seconds))
    return [
        _figure(f"hashes with {rounds} rounds over HTTP", bare, ours),
        # A rate depends on the load of the machine; this figure much less so.
        _figure(f"- core time of each, {rounds} rounds, idling included", bare, ours, is_cost=True),
    ]


def _through_all(stack: Stack, request: Request, seconds: float, users: int) -> _Sample:
    busy, began = stack.core_seconds(), time.perf_counter()
    asking = time.process_time()
    rate = answers_per_second(request, 200, seconds, users)
    count = rate * (time.perf_counter() - began)
    asking = time.process_time() - asking
    busy = stack.core_seconds() - busy
    return _Sample(rate, busy / count * 1000, asking / count * 1000)


def _figure(
    what: str, bare: Sequence[_Sample], ours: Sequence[_Sample], *, is_cost: bool = False
) -> Figure:
    place, form, unit = (1, ".2f", "ms") if is_cost else (0, ".1f", "/s")
    own, others = [one[place] for one in ours], [one[place] for one in bare]
    # Each of ours stands between two of bcrypt's own.
    ratios = [one / ((others[at] + others[at + 1]) / 2) for at, one in enumerate(own)]
    ratio = statistics.median(ratios)
    asking = statistics.median(one.asking_milliseconds for one in ours)
    return Figure(
        what,
        spread(own, form, unit),
        f"bare bcrypt: {spread(others, form, unit)}; asking took {asking:.2f} ms of a core each",
        1 / ratio if is_cost else ratio,
        "at least 0.97",
    )


def _count_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _measure_bare(rounds: int, seconds: float) -> _Sample:
    """Hash on every core, in processes that the kernel gives as much of it as those of the stack.

    It parts cores between sessions first, and each process of the stack has one of its own.
    """
    began = time.perf_counter()
    with ProcessPoolExecutor(_count_cores(), initializer=os.setsid) as pool:
        counts = [pool.submit(_hash_on, rounds, seconds) for _ in range(_count_cores())]
        results = [count.result() for count in counts]
    total, busy = (sum(each) for each in zip(*results, strict=True))
    return _Sample(total / (time.perf_counter() - began), busy / total * 1000)


def _hash_on(rounds: int, seconds: float) -> tuple[int, float]:
    """Return how often it was hashed, and for how long that kept a core busy."""
    salt = bcrypt.gensalt(rounds)
    ends = time.perf_counter() + seconds
    count, busy = 0, time.process_time()
    while time.perf_counter() < ends:
        bcrypt.hashpw(_PASSWORD.encode(), salt)
        count += 1
    return count, time.process_time() - busy


if __name__ == "__main__":
    print(table(measure()))
