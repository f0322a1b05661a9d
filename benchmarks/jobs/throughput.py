"""Throughput of hashing through HTTP, queue and worker, beside bare libraries on all cores."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Final, NamedTuple

import bcrypt
from argon2 import PasswordHasher

from benchmarks.measuring.figures import Figure, spread, table
from benchmarks.measuring.load import Request, answers_per_second
from benchmarks.measuring.stack import Stack, new_stack
from config import ARGON2_SETS

_REPEATS: Final = 3
_SECONDS: Final = 8.0
#: What a request asks for: the service's default, bcrypt's own, and Argon2id as OWASP has it and as
#: argon2-cffi does by itself.
_SCHEMES: Final[Mapping[str, Mapping[str, object]]] = {
    "bcrypt, 10 rounds": {"rounds": 10},
    "bcrypt, 12 rounds": {"rounds": 12},
    "Argon2id, 19 MiB": {"argon2": "owasp-19-mib"},
    "Argon2id, 64 MiB": {"argon2": "rfc9106-64-mib"},
}
_PASSWORD: Final = "correct horse battery staple"


class _Sample(NamedTuple):
    """The measurement of some seconds of hashing."""

    per_second: float
    core_milliseconds: float
    #: The core time of the client for each request: of the same cores, but no part of the service.
    asking_milliseconds: float = 0


def measure(repeats: int = _REPEATS, seconds: float = _SECONDS) -> list[Figure]:
    """Measure each bare library and the stack in turn."""
    with new_stack() as stack:
        service = stack.start()
        found = [_measure_beside_bare(stack, name, repeats, seconds) for name in _SCHEMES]
        service.stop()
    return [figure for figures in found for figure in figures]


def _measure_beside_bare(stack: Stack, name: str, repeats: int, seconds: float) -> list[Figure]:
    body = {"password": _PASSWORD, **_SCHEMES[name]}
    request = Request(stack.port, "/v1/passwords/hash", body, "wait=30")
    # Enough that each worker finds its next job waiting.
    users = 3 * _count_cores()
    answers_per_second(request, 200, 1, users)
    bare, ours = [], []
    for _ in range(repeats):
        bare.append(_measure_bare(name, seconds))
        ours.append(_through_all(stack, request, seconds, users))
    bare.append(_measure_bare(name, seconds))
    return [
        _figure(f"hashes over HTTP: {name}", bare, ours),
        # A rate depends on the load of the machine; this figure much less so.
        _figure(f"- core time of each, {name}, idling included", bare, ours, is_cost=True),
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
    # Each of ours stands between two of the library's own.
    ratios = [one / ((others[at] + others[at + 1]) / 2) for at, one in enumerate(own)]
    ratio = statistics.median(ratios)
    asking = statistics.median(one.asking_milliseconds for one in ours)
    return Figure(
        what,
        spread(own, form, unit),
        f"bare library: {spread(others, form, unit)}; asking took {asking:.2f} ms of a core each",
        1 / ratio if is_cost else ratio,
        "at least 0.97",
    )


def _count_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _measure_bare(name: str, seconds: float) -> _Sample:
    """Hash on every core, in processes that the kernel gives as much of it as those of the stack.

    It parts cores between sessions first, and each process of the stack has one of its own.
    """
    began = time.perf_counter()
    with ProcessPoolExecutor(_count_cores(), initializer=os.setsid) as pool:
        counts = [pool.submit(_hash_on, name, seconds) for _ in range(_count_cores())]
        results = [count.result() for count in counts]
    total, busy = (sum(each) for each in zip(*results, strict=True))
    return _Sample(total / (time.perf_counter() - began), busy / total * 1000)


def _hash_on(name: str, seconds: float) -> tuple[int, float]:
    """Return how often it was hashed, and for how long that kept a core busy."""
    hash_once = _build_bare(**_SCHEMES[name])
    ends = time.perf_counter() + seconds
    count, busy = 0, time.process_time()
    while time.perf_counter() < ends:
        hash_once()
        count += 1
    return count, time.process_time() - busy


def _build_bare(rounds: object = None, argon2: object = None) -> Callable[[], object]:
    if isinstance(rounds, int):
        salt = bcrypt.gensalt(rounds)
        return lambda: bcrypt.hashpw(_PASSWORD.encode(), salt)
    memory_kib, passes, lanes = ARGON2_SETS[str(argon2)]
    hasher = PasswordHasher(passes, memory_kib, lanes)
    return lambda: hasher.hash(_PASSWORD)


if __name__ == "__main__":
    print(table(measure()))
